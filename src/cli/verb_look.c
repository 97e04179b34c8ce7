/* The verbs that look: tables, schema, summary, history, files, verify. */
#include <string.h>

#include "cli.h"

static stoa_cli_output output_of(const stoa_cli_arguments *arguments) {
    return (stoa_cli_output){.format = stoa_cli_value(arguments, "--format"),
                             .path = stoa_cli_value(arguments, "--output")};
}

/* Opens the database for reading after the output options were found good. */
static int begin(const stoa_cli_arguments *arguments, stoa_cli_output *output,
                 stoa_cli_session *session, stoa_error *err) {
    const char *verb = arguments->verb->name;
    *output = output_of(arguments);
    if (stoa_cli_output_check(output, err) != STOA_OK) {
        return stoa_cli_usage(verb, "%s", err->message);
    }
    stoa_status status =
        stoa_cli_session_open(arguments->positionals[0], STOA_CLI_READ, session, err);
    return status == STOA_OK ? STOA_EXIT_OK : stoa_cli_fail(verb, status, err);
}

static int end_listing(const stoa_cli_arguments *arguments, stoa_cli_session *session,
                       const stoa_cli_output *output, stoa_listing *listing, stoa_status status,
                       stoa_error *err) {
    struct ArrowArrayStream rows = {0};
    int64_t count = 0;
    stoa_listing_finish(listing, &rows);
    if (status == STOA_OK) {
        status = stoa_cli_output_rows(session->database, output, &rows, &session->context, &count,
                                      err);
    } else {
        stoa_arrow_stream_release(&rows);
    }
    stoa_cli_session_close(session);
    return status == STOA_OK ? STOA_EXIT_OK
                             : stoa_cli_fail(arguments->verb->name, status, err);
}

static stoa_status list_table(void *user, const stoa_table_info *info, stoa_error *err) {
    (void)err;
    stoa_listing *listing = user;
    char time[32];
    stoa_listing_add_text(listing, info->name);
    stoa_listing_add_text(listing, info->kind);
    if (info->row_count < 0) {
        stoa_listing_add_unknown(listing);
    } else {
        stoa_listing_add_i64(listing, info->row_count);
    }
    stoa_listing_add_i64(listing, (int64_t)info->byte_count);
    stoa_listing_add_i64(listing, info->file_count);
    stoa_listing_add_text(listing, stoa_time_text(info->snapshot_time_ms, time));
    return STOA_OK;
}

int stoa_cli_tables(const stoa_cli_arguments *arguments) {
    static const char *const names[] = {"table", "kind", "rows", "bytes", "files", "changed (UTC)"};
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_output output;
    stoa_cli_session session;
    int code = begin(arguments, &output, &session, &err);
    if (code != STOA_EXIT_OK) {
        return code;
    }
    stoa_listing *listing = stoa_listing_create(names, "ttiiit");
    stoa_status status = stoa_tables_each(session.database, list_table, listing, &err);
    return end_listing(arguments, &session, &output, listing, status, &err);
}

/* "identity", "month, bucket[16]": what a column's partitions are. */
struct partitions {
    const char *column;
    char text[256];
    bool any;
};

static stoa_status note_partition(void *user, const stoa_partition_info *info, stoa_error *err) {
    (void)err;
    struct partitions *partitions = user;
    partitions->any = true;
    if (partitions->column != NULL && strcmp(partitions->column, info->column) == 0) {
        size_t used = strlen(partitions->text);
        (void)snprintf(partitions->text + used, sizeof partitions->text - used, "%s%s",
                       used == 0 ? "" : ", ", info->transform);
    }
    return STOA_OK;
}

static stoa_status find_partitions(stoa_cli_session *session, const char *table,
                                   const char *column, struct partitions *out, stoa_error *err) {
    *out = (struct partitions){.column = column};
    return stoa_table_partitions(session->database, table, note_partition, out, err);
}

int stoa_cli_schema(const stoa_cli_arguments *arguments) {
    static const char *const plain_names[] = {"id", "column", "type", "null", "doc"};
    static const char *const all_names[] = {"id", "column", "type", "null", "doc", "partition"};
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_output output;
    stoa_cli_session session;
    int code = begin(arguments, &output, &session, &err);
    if (code != STOA_EXIT_OK) {
        return code;
    }
    const stoa_schema *schema = NULL;
    const char *table = arguments->positionals[1];
    struct partitions partitions;
    stoa_status status = find_partitions(&session, table, NULL, &partitions, &err);
    bool any = status == STOA_OK && partitions.any;
    stoa_listing *listing = stoa_listing_create(any ? all_names : plain_names,
                                                any ? "ittttt" : "itttt");
    if (status == STOA_OK) {
        status = stoa_table_schema(session.database, table, &schema, &err);
    }
    for (int32_t i = 0; status == STOA_OK && i < schema->root.child_count; i++) {
        const stoa_field *field = &schema->root.children[i];
        char type[4096];
        (void)stoa_type_print(&field->type, type, sizeof type);
        stoa_listing_add_i64(listing, field->id);
        stoa_listing_add_text(listing, field->name);
        stoa_listing_add_text(listing, type);
        stoa_listing_add_text(listing, field->required ? "not null" : "yes");
        stoa_listing_add_text(listing, field->doc);
        if (any) {
            status = find_partitions(&session, table, field->name, &partitions, &err);
            stoa_listing_add_text(listing, partitions.text[0] == '\0' ? NULL : partitions.text);
        }
    }
    stoa_schema_close(schema);
    return end_listing(arguments, &session, &output, listing, status, &err);
}

/* `"name"` with quotes doubled, so that any name is one identifier. */
static char *quoted(const char *name) {
    char *text = stoa_cli_allocate(strlen(name) * 2 + 3);
    size_t length = 0;
    text[length++] = '"';
    for (; *name != '\0'; name++) {
        if (*name == '"') {
            text[length++] = '"';
        }
        text[length++] = *name;
    }
    text[length] = '"';
    return text;
}

int stoa_cli_summary(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_output output;
    stoa_cli_session session;
    int code = begin(arguments, &output, &session, &err);
    if (code != STOA_EXIT_OK) {
        return code;
    }
    const stoa_schema *schema = NULL;
    struct ArrowArrayStream rows = {0};
    int64_t count = 0;
    stoa_status status =
        stoa_table_schema(session.database, arguments->positionals[1], &schema, &err);
    stoa_schema_close(schema);
    if (status == STOA_OK) {
        char *name = quoted(arguments->positionals[1]);
        char *sql = stoa_cli_allocate(strlen(name) + 512);
        (void)sprintf(sql,
                      "SELECT column_name AS \"column\", column_type AS type, count AS rows, "
                      "round(count * null_percentage / 100)::BIGINT AS nulls, "
                      "approx_unique AS distinct_about, min, max, avg, std, q50 AS median "
                      "FROM (SUMMARIZE SELECT * FROM %s)",
                      name);
        status = stoa_query(session.database, sql, &session.context, &rows, &err);
        stoa_cli_free(sql);
        stoa_cli_free(name);
    }
    if (status == STOA_OK) {
        status = stoa_cli_output_rows(session.database, &output, &rows, &session.context, &count,
                                      &err);
    }
    stoa_cli_session_close(&session);
    return status == STOA_OK ? STOA_EXIT_OK : stoa_cli_fail("summary", status, &err);
}

static stoa_status list_snapshot(void *user, const stoa_snapshot_info *info, stoa_error *err) {
    (void)err;
    stoa_listing *listing = user;
    char time[32];
    stoa_listing_add_i64(listing, info->snapshot_id);
    stoa_listing_add_text(listing, stoa_time_text(info->time_ms, time));
    stoa_listing_add_text(listing, info->operation);
    stoa_listing_add_i64(listing, info->row_count);
    stoa_listing_add_i64(listing, info->file_count);
    stoa_listing_add_i64(listing, (int64_t)info->byte_count);
    stoa_listing_add_text(listing, info->current ? "current" : NULL);
    return STOA_OK;
}

int stoa_cli_history(const stoa_cli_arguments *arguments) {
    static const char *const names[] = {"snapshot", "time (UTC)", "operation", "rows",
                                        "files",    "bytes",      "state"};
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_output output;
    stoa_cli_session session;
    int code = begin(arguments, &output, &session, &err);
    if (code != STOA_EXIT_OK) {
        return code;
    }
    stoa_listing *listing = stoa_listing_create(names, "ittiiit");
    stoa_status status = stoa_table_snapshots(session.database, arguments->positionals[1],
                                              list_snapshot, listing, &err);
    return end_listing(arguments, &session, &output, listing, status, &err);
}

static stoa_status list_file(void *user, const stoa_file_entry *file, stoa_error *err) {
    (void)err;
    stoa_listing *listing = user;
    stoa_listing_add_text(listing, file->path);
    stoa_listing_add_i64(listing, file->row_count);
    stoa_listing_add_i64(listing, (int64_t)file->byte_count);
    stoa_listing_add_i64(listing, file->added_snapshot_id);
    return STOA_OK;
}

int stoa_cli_files(const stoa_cli_arguments *arguments) {
    static const char *const names[] = {"file", "rows", "bytes", "added_in"};
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_output output;
    stoa_cli_session session;
    int code = begin(arguments, &output, &session, &err);
    if (code != STOA_EXIT_OK) {
        return code;
    }
    stoa_listing *listing = stoa_listing_create(names, "tiii");
    stoa_status status = stoa_table_files(session.database, arguments->positionals[1], list_file,
                                          listing, &err);
    return end_listing(arguments, &session, &output, listing, status, &err);
}

static void print_damage(void *user, const stoa_error *damage) {
    int64_t *count = user;
    ++*count;
    (void)fprintf(stderr, "stoa: verify: %s\n", damage->message);
}

int stoa_cli_verify(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_session session;
    stoa_status status =
        stoa_cli_session_open(arguments->positionals[0], STOA_CLI_READ, &session, &err);
    if (status != STOA_OK) {
        return stoa_cli_fail("verify", status, &err);
    }
    int64_t damages = 0;
    int64_t files = 0;
    uint64_t bytes = 0;
    const char *table = arguments->positional_count > 1 ? arguments->positionals[1] : NULL;
    status = stoa_database_verify(session.database, table, &session.context, print_damage, &damages,
                                  &files, &bytes, &err);
    stoa_cli_session_close(&session);
    if (status == STOA_CORRUPT && damages > 0) {
        return STOA_EXIT_CORRUPT; /* each damage has had its line */
    }
    if (status != STOA_OK) {
        return stoa_cli_fail("verify", status, &err);
    }
    char count[32];
    char size[32];
    (void)fprintf(stdout, "%s file%s, %s: every checksum is right\n",
                  stoa_count_text(files, count), files == 1 ? "" : "s",
                  stoa_bytes_text(bytes, size));
    return STOA_EXIT_OK;
}
