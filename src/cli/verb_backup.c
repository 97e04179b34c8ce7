/* The verbs of whole databases: backup, restore, clone. */
#include "cli.h"

/* A verb at work: a session (of the database, or of none), the backup, a bar. */
struct work {
    const char *verb;
    bool quiet;
    stoa_cli_session session;
    stoa_backup *backup;
    stoa_cli_progress *progress;
    stoa_context context;
};

static stoa_status work_open(const stoa_cli_arguments *arguments, const char *database,
                             const char *backup, const char *title, struct work *out,
                             stoa_error *err) {
    *out = (struct work){.verb = arguments->verb->name,
                         .quiet = stoa_cli_value(arguments, "--quiet") != NULL};
    stoa_status status = stoa_cli_session_open(database, STOA_CLI_READ, &out->session, err);
    if (status == STOA_OK) {
        status = stoa_backup_open(backup, NULL, &out->backup, err);
    }
    if (status == STOA_OK) {
        out->progress = stoa_cli_progress_start(title, !out->quiet);
        out->context = (stoa_context){.cancel = out->session.cancel};
        out->context.progress = out->progress == NULL ? NULL : stoa_cli_progress_update;
        out->context.progress_user = out->progress;
    }
    return status;
}

static int work_end(struct work *work, stoa_status status, const stoa_error *err) {
    stoa_cli_progress_end(work->progress);
    stoa_backup_close(work->backup);
    stoa_cli_session_close(&work->session);
    return status == STOA_OK ? STOA_EXIT_OK : stoa_cli_fail(work->verb, status, err);
}

static void print_new(const stoa_backup_info *info) {
    char files[32], bytes[32], new_files[32], new_bytes[32];
    (void)fprintf(stderr, "generation %" PRId64 ": %s file%s, %s; new: %s, %s\n", info->generation,
                  stoa_count_text(info->file_count, files), info->file_count == 1 ? "" : "s",
                  stoa_bytes_text(info->bytes, bytes),
                  stoa_count_text(info->new_file_count, new_files),
                  stoa_bytes_text(info->new_bytes, new_bytes));
}

/* ---- backup: looking ------------------------------------------------------------------------- */

static stoa_status list_generation(void *user, const stoa_backup_info *info, stoa_error *err) {
    stoa_listing *listing = user;
    char time[32];
    const int64_t numbers[] = {info->table_count, info->row_count, info->file_count,
                               (int64_t)info->bytes, (int64_t)info->new_bytes};
    (void)err;
    stoa_listing_add_i64(listing, info->generation);
    stoa_listing_add_text(listing, info->is_damaged ? NULL : stoa_time_text(info->time_ms, time));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (info->is_damaged || numbers[i] < 0) {
            stoa_listing_add_unknown(listing);
        } else {
            stoa_listing_add_i64(listing, numbers[i]);
        }
    }
    return STOA_OK;
}

static stoa_status list(struct work *work, const stoa_cli_output *output, stoa_error *err) {
    static const char *const names[] = {"generation", "time",  "tables",   "rows",
                                        "files",      "bytes", "new_bytes"};
    struct ArrowArrayStream rows = {0};
    int64_t count = 0;
    stoa_listing *listing = stoa_listing_create(names, "itiiiii");
    const stoa_status status = stoa_backup_each(work->backup, list_generation, listing, err);
    stoa_listing_finish(listing, &rows);
    if (status != STOA_OK) {
        stoa_arrow_stream_release(&rows);
        return status;
    }
    return stoa_cli_output_rows(work->session.database, output, &rows, &work->session.context,
                                &count, err);
}

static void print_damage(void *user, const stoa_error *damage) {
    int64_t *count = user;
    ++*count;
    (void)fprintf(stderr, "stoa: backup: %s\n", damage->message);
}

static int verify(struct work *work, int64_t generation) {
    stoa_error err = STOA_ERROR_NONE;
    int64_t damages = 0, files = 0;
    uint64_t bytes = 0;
    char count[32], size[32];
    const stoa_status status = stoa_backup_verify(work->backup, generation, &work->context,
                                                  print_damage, &damages, &files, &bytes, &err);
    if (status == STOA_CORRUPT && damages > 0) {
        (void)work_end(work, STOA_OK, NULL);
        return STOA_EXIT_CORRUPT; /* each damage has had its line */
    }
    const int code = work_end(work, status, &err);
    if (status == STOA_OK) {
        (void)fprintf(stdout, "%s file%s, %s: every hash is right\n",
                      stoa_count_text(files, count), files == 1 ? "" : "s",
                      stoa_bytes_text(bytes, size));
    }
    return code;
}

/* ---- backup: changing ------------------------------------------------------------------------ */

static stoa_status keep(struct work *work, int64_t count, stoa_error *err) {
    int64_t removed = 0;
    char text[32];
    const stoa_status status = stoa_backup_keep(work->backup, count, &work->context, &removed, err);
    if (status == STOA_OK && !work->quiet && removed > 0) {
        (void)fprintf(stderr, "removed %s generation%s\n", stoa_count_text(removed, text),
                      removed == 1 ? "" : "s");
    }
    return status;
}

static stoa_status add(struct work *work, stoa_error *err) {
    stoa_backup_info info = {0};
    const stoa_status status = stoa_backup_add(work->backup, work->session.database, &work->context,
                                               &info, err);
    if (status == STOA_OK && !work->quiet) {
        stoa_cli_progress_end(work->progress);
        work->progress = NULL;
        work->context.progress = NULL;
        print_new(&info);
    }
    return status;
}

/* What was asked for; 0: not given. */
struct request {
    bool lists, verifies;
    int64_t generation, remove, keep;
};

static stoa_status read_request(const stoa_cli_arguments *arguments, struct request *out,
                                stoa_error *err) {
    *out = (struct request){.lists = stoa_cli_value(arguments, "--list") != NULL,
                            .verifies = stoa_cli_value(arguments, "--verify") != NULL};
    stoa_status status = stoa_cli_value_i64(arguments, "--generation", 1, &out->generation, err);
    if (status == STOA_OK) {
        status = stoa_cli_value_i64(arguments, "--remove", 1, &out->remove, err);
    }
    if (status == STOA_OK) {
        status = stoa_cli_value_i64(arguments, "--keep", 1, &out->keep, err);
    }
    return status;
}

/* NULL: they go together. */
static const char *check_request(const struct request *request, int positionals) {
    const int whats = request->lists + request->verifies + (request->remove > 0);
    if (whats > 1 || (whats == 1 && request->keep > 0)) {
        return "expected one of --list, --verify, --remove and --keep";
    }
    if (request->generation > 0 && !request->verifies) {
        return "option '--generation' is of --verify, and of the verb restore";
    }
    if (whats == 0 && request->keep == 0 && positionals < 2) {
        return "expected DB and BACKUP";
    }
    return NULL;
}

static stoa_status change(struct work *work, const struct request *request, bool adds,
                          stoa_error *err) {
    stoa_status status = STOA_OK;
    if (request->remove > 0) {
        return stoa_backup_remove(work->backup, request->remove, &work->context, err);
    }
    if (adds) {
        status = add(work, err);
    }
    return status == STOA_OK && request->keep > 0 ? keep(work, request->keep, err) : status;
}

int stoa_cli_backup(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    struct work work;
    struct request request;
    const stoa_cli_output output = {.format = stoa_cli_value(arguments, "--format"),
                                    .path = stoa_cli_value(arguments, "--output")};
    if (read_request(arguments, &request, &err) != STOA_OK ||
        stoa_cli_output_check(&output, &err) != STOA_OK) {
        return stoa_cli_usage("backup", "%s", err.message);
    }
    const char *mistake = check_request(&request, arguments->positional_count);
    if (mistake != NULL) {
        return stoa_cli_usage("backup", "%s", mistake);
    }
    const bool looks = request.lists || request.verifies;
    const bool adds = !looks && request.remove == 0 && arguments->positional_count == 2;
    const char *path = arguments->positionals[arguments->positional_count - 1];
    stoa_status status = work_open(arguments, adds ? arguments->positionals[0] : ":memory:", path,
                                   request.verifies ? "verifying" : "backing up", &work, &err);
    if (status == STOA_OK && request.verifies) {
        return verify(&work, request.generation);
    }
    if (status == STOA_OK) {
        status = request.lists ? list(&work, &output, &err) : change(&work, &request, adds, &err);
    }
    return work_end(&work, status, &err);
}

/* ---- restore --------------------------------------------------------------------------------- */

int stoa_cli_restore(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    struct work work;
    stoa_backup_info info = {0};
    int64_t generation = 0;
    if (stoa_cli_value_i64(arguments, "--generation", 1, &generation, &err) != STOA_OK) {
        return stoa_cli_usage("restore", "%s", err.message);
    }
    stoa_status status = work_open(arguments, ":memory:", arguments->positionals[0], "restoring",
                                   &work, &err);
    if (status == STOA_OK) {
        status = stoa_backup_restore(work.backup, generation, arguments->positionals[1],
                                     &work.context, &info, &err);
    }
    const int code = work_end(&work, status, &err);
    if (status == STOA_OK && !work.quiet) {
        char files[32], bytes[32];
        (void)fprintf(stderr, "restored generation %" PRId64 ": %s file%s, %s\n", info.generation,
                      stoa_count_text(info.file_count, files), info.file_count == 1 ? "" : "s",
                      stoa_bytes_text(info.bytes, bytes));
    }
    return code;
}

/* ---- clone ----------------------------------------------------------------------------------- */

int stoa_cli_clone(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_session session;
    stoa_clone_info info = {0};
    const bool quiet = stoa_cli_value(arguments, "--quiet") != NULL;
    stoa_status status = stoa_cli_session_open(arguments->positionals[0], STOA_CLI_READ, &session,
                                               &err);
    if (status == STOA_OK) {
        stoa_cli_progress *progress = stoa_cli_progress_start("cloning", !quiet);
        const stoa_context context = {.cancel = session.cancel,
                                      .progress = progress == NULL ? NULL : stoa_cli_progress_update,
                                      .progress_user = progress};
        status = stoa_database_clone(session.database, arguments->positionals[1], &context, &info,
                                     &err);
        stoa_cli_progress_end(progress);
    }
    stoa_cli_session_close(&session);
    if (status != STOA_OK) {
        return stoa_cli_fail("clone", status, &err);
    }
    if (!quiet) {
        char files[32], bytes[32], linked[32];
        (void)fprintf(stderr, "%s file%s, %s; linked: %s\n",
                      stoa_count_text(info.file_count, files), info.file_count == 1 ? "" : "s",
                      stoa_bytes_text(info.bytes, bytes),
                      stoa_bytes_text(info.linked_bytes, linked));
    }
    return STOA_EXIT_OK;
}
