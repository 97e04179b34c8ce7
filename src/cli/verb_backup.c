/* The verbs of backups: backup, restore. */
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

int stoa_cli_backup(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    struct work work;
    stoa_backup_info info = {0};
    stoa_status status = work_open(arguments, arguments->positionals[0], arguments->positionals[1],
                                   "backing up", &work, &err);
    if (status == STOA_OK) {
        status = stoa_backup_add(work.backup, work.session.database, &work.context, &info, &err);
    }
    const int code = work_end(&work, status, &err);
    if (status == STOA_OK && !work.quiet) {
        print_new(&info);
    }
    return code;
}

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
