/* The verb repair: what can be saved of damaged state tables. */
#include "cli.h"

static void print_damage(void *user, const stoa_error *damage) {
    (void)user;
    (void)fprintf(stderr, "stoa: repair: %s\n", damage->message);
}

static void print_result(const stoa_state_repair_result *result, bool dry_run) {
    char count[32], rows[32], changes[32];
    if (result->damage_count == 0) {
        (void)fputs("nothing is damaged\n", stdout);
        return;
    }
    (void)fprintf(stdout, "%s damage%s %s\n", stoa_count_text(result->damage_count, count),
                  result->damage_count == 1 ? "" : "s", dry_run ? "found" : "repaired");
    if (result->lost_row_count > 0 || result->lost_change_count > 0) {
        (void)fprintf(stdout, "lost: %s row%s of files, %s change%s of the log\n",
                      stoa_count_text(result->lost_row_count, rows),
                      result->lost_row_count == 1 ? "" : "s",
                      stoa_count_text(result->lost_change_count, changes),
                      result->lost_change_count == 1 ? "" : "s");
    }
}

int stoa_cli_repair(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_session session;
    stoa_state_repair_result result;
    const bool dry_run = stoa_cli_value(arguments, "--dry-run") != NULL;
    stoa_status status = stoa_cli_session_open(
        arguments->positionals[0], dry_run ? STOA_CLI_READ : STOA_CLI_WRITE, &session, &err);
    if (status != STOA_OK) {
        return stoa_cli_fail("repair", status, &err);
    }
    const stoa_state_repair_options options = {
        .dry_run = dry_run, .function = print_damage, .context = session.context};
    status = stoa_state_repair(session.database, &options, &result, &err);
    stoa_cli_session_close(&session);
    if (status != STOA_OK) {
        return stoa_cli_fail("repair", status, &err);
    }
    print_result(&result, dry_run);
    return dry_run && result.damage_count > 0 ? STOA_EXIT_CORRUPT : STOA_EXIT_OK;
}
