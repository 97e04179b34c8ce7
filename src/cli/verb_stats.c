/* stats: what the state tables of a database consist of. Counts of work done are those of one process and
 * belong to the program that writes; a command sees files and rows. */
#include <string.h>

#include "cli.h"

struct stats {
    stoa_database *database;
    stoa_listing *listing; /* NULL: as text for Prometheus */
    stoa_text *text;
    bool is_done; /* the text has all tables of the database */
};

static void add_level(stoa_listing *listing, const char *table, const char *level, int64_t files,
                      int64_t rows, int64_t deletions, uint64_t bytes) {
    stoa_listing_add_text(listing, table);
    stoa_listing_add_text(listing, level);
    stoa_listing_add_i64(listing, files);
    stoa_listing_add_i64(listing, rows);
    if (deletions < 0) {
        stoa_listing_add_unknown(listing);
    } else {
        stoa_listing_add_i64(listing, deletions);
    }
    stoa_listing_add_i64(listing, (int64_t)bytes);
}

static void add_table(stoa_listing *listing, const char *name, stoa_state *state) {
    stoa_state_table_statistics statistics;
    char level[16];
    stoa_state_table_statistics_get(state, &statistics);
    add_level(listing, name, "memory", 0, statistics.memtable_row_count, -1,
              statistics.memtable_bytes);
    for (int i = 0; i < STOA_STATE_LEVELS; i++) {
        const stoa_state_level *one = &statistics.levels[i];
        if (one->file_count > 0) {
            (void)snprintf(level, sizeof level, "%d", i);
            add_level(listing, name, level, one->file_count, one->row_count, one->delete_count,
                      one->bytes);
        }
    }
}

static stoa_status look_at(void *user, const stoa_table_info *info, stoa_error *err) {
    struct stats *stats = user;
    stoa_state *state = NULL;
    if (strcmp(info->kind, "state") != 0 || stats->is_done) {
        return STOA_OK;
    }
    stoa_status status = stoa_state_open(stats->database, info->name, &state, err);
    if (status != STOA_OK) {
        return status;
    }
    if (stats->listing != NULL) {
        add_table(stats->listing, info->name, state);
    } else {
        status = stoa_state_prometheus(state, stats->text, err);
        stats->is_done = true;
    }
    stoa_state_close(state);
    return status;
}

static stoa_status print_prometheus(stoa_cli_session *session, stoa_error *err) {
    struct stats stats = {.database = session->database};
    stoa_status status = stoa_text_create(session->context.pool, &stats.text, err);
    if (status == STOA_OK) {
        status = stoa_tables_each(session->database, look_at, &stats, err);
    }
    if (status == STOA_OK) {
        (void)fputs(stoa_text_view(stats.text, NULL), stdout);
    }
    stoa_text_close(stats.text);
    return status;
}

static stoa_status list_levels(stoa_cli_session *session, const stoa_cli_output *output,
                               stoa_error *err) {
    static const char *const names[] = {"table", "level", "files", "rows", "deletions", "bytes"};
    struct stats stats = {.database = session->database,
                          .listing = stoa_listing_create(names, "ttiiii")};
    struct ArrowArrayStream rows = {0};
    int64_t count = 0;
    stoa_status status = stoa_tables_each(session->database, look_at, &stats, err);
    stoa_listing_finish(stats.listing, &rows);
    if (status == STOA_OK) {
        return stoa_cli_output_rows(session->database, output, &rows, &session->context, &count,
                                    err);
    }
    stoa_arrow_stream_release(&rows);
    return status;
}

int stoa_cli_stats(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_session session;
    const stoa_cli_output output = {.format = stoa_cli_value(arguments, "--format"),
                                    .path = stoa_cli_value(arguments, "--output")};
    const bool prometheus = stoa_cli_value(arguments, "--prometheus") != NULL;
    if (prometheus && (output.format != NULL || output.path != NULL)) {
        return stoa_cli_usage("stats", "option '--prometheus' is a format of its own, for standard "
                                       "output");
    }
    if (stoa_cli_output_check(&output, &err) != STOA_OK) {
        return stoa_cli_usage("stats", "%s", err.message);
    }
    stoa_status status = stoa_cli_session_open(arguments->positionals[0], STOA_CLI_READ, &session,
                                               &err);
    if (status == STOA_OK) {
        status = prometheus ? print_prometheus(&session, &err)
                            : list_levels(&session, &output, &err);
    }
    stoa_cli_session_close(&session);
    return status == STOA_OK ? STOA_EXIT_OK : stoa_cli_fail("stats", status, &err);
}
