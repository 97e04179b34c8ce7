/* The interactive shell: line editing and history by libedit, statements that span lines, a few
 * commands that begin with a dot. Ctrl-C cancels the running query and empties a half-typed line;
 * Ctrl-D leaves. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <histedit.h>

#include "cli.h"

enum { HISTORY_LINES = 1000 };

struct shell {
    stoa_cli_session session;
    stoa_session *sql_session;
    stoa_cli_output output;
    char format[16];
    bool timer;
    bool interactive;
    bool continued; /* inside a statement: another prompt */
    bool failed;
    bool interrupted; /* Ctrl-C was typed at the prompt */
    EditLine *editor;
    History *history;
    char history_path[PATH_MAX];
};

static char *prompt(EditLine *editor) {
    struct shell *shell = NULL;
    (void)el_get(editor, EL_CLIENTDATA, &shell);
    return shell != NULL && shell->continued ? "  ...> " : "stoa> ";
}

/* Ctrl-C at the prompt forgets the line and the statement that it belongs to. */
static unsigned char on_interrupt_key(EditLine *editor, int key) {
    (void)key;
    struct shell *shell = NULL;
    (void)el_get(editor, EL_CLIENTDATA, &shell);
    const LineInfo *line = el_line(editor);
    (void)el_cursor(editor, (int)(line->lastchar - line->cursor));
    el_deletestr(editor, (int)(line->lastchar - line->buffer));
    (void)fputs("^C\r\n", stdout);
    shell->interrupted = true;
    shell->continued = false;
    return CC_NEWLINE;
}

/* Where history is kept: the place that desktop systems use for such state. */
static void find_history(struct shell *shell) {
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char folder[PATH_MAX - 16];
    int length = 0;
    if (state != NULL && state[0] == '/') {
        length = snprintf(folder, sizeof folder, "%s/stoa", state);
    } else if (home != NULL && home[0] == '/') {
        length = snprintf(folder, sizeof folder, "%s/.local/state/stoa", home);
    }
    if (length <= 0 || (size_t)length >= sizeof folder) {
        return;
    }
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(folder, 0700);
        *slash = '/';
    }
    if (mkdir(folder, 0700) == 0 || errno == EEXIST) {
        (void)snprintf(shell->history_path, sizeof shell->history_path, "%s/history", folder);
    }
}

static void editor_open(struct shell *shell) {
    HistEvent event;
    shell->editor = el_init("stoa", stdin, stdout, stderr);
    shell->history = history_init();
    if (shell->editor == NULL || shell->history == NULL) {
        return;
    }
    (void)el_set(shell->editor, EL_CLIENTDATA, shell);
    (void)el_set(shell->editor, EL_PROMPT, prompt);
    (void)el_set(shell->editor, EL_EDITOR, "emacs");
    (void)el_set(shell->editor, EL_SIGNAL, 0);
    (void)history(shell->history, &event, H_SETSIZE, HISTORY_LINES);
    (void)history(shell->history, &event, H_SETUNIQUE, 1);
    (void)el_set(shell->editor, EL_HIST, history, shell->history);
    (void)el_set(shell->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    /* While a line is edited Ctrl-C is a key; while a query runs it is the signal again. */
    (void)el_set(shell->editor, EL_SETTY, "-d", "-isig", NULL);
    (void)el_set(shell->editor, EL_ADDFN, "stoa-interrupt", "Forgets the line.", on_interrupt_key);
    (void)el_set(shell->editor, EL_BIND, "^C", "stoa-interrupt", NULL);
    (void)el_source(shell->editor, NULL);
    find_history(shell);
    if (shell->history_path[0] != '\0') {
        (void)history(shell->history, &event, H_LOAD, shell->history_path);
    }
}

static void editor_close(struct shell *shell) {
    HistEvent event;
    if (shell->history != NULL) {
        if (shell->history_path[0] != '\0') {
            (void)history(shell->history, &event, H_SAVE, shell->history_path);
        }
        history_end(shell->history);
    }
    if (shell->editor != NULL) {
        el_end(shell->editor);
    }
}

/* One line into `buffer`; NULL at the end of input, "" after Ctrl-C. */
static const char *read_line(struct shell *shell, char **buffer, size_t *capacity) {
    if (shell->editor == NULL) {
        return getline(buffer, capacity, stdin) < 0 ? NULL : *buffer;
    }
    int count = 0;
    const char *line = el_gets(shell->editor, &count);
    if (shell->interrupted) {
        shell->interrupted = false;
        return "";
    }
    return count <= 0 ? NULL : line;
}

static void report(struct shell *shell, stoa_status status, const stoa_error *err) {
    shell->failed = true;
    (void)fflush(stdout);
    (void)stoa_cli_fail(NULL, status, err);
}

/* Every statement gets a token of its own, so that Ctrl-C ends it and not the next. */
static void run_statement(struct shell *shell, const char *sql) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_cancel *cancel = NULL;
    struct ArrowArrayStream rows = {0};
    stoa_result_info info = {0};
    struct timespec before;
    struct timespec after;
    int64_t count = 0;
    stoa_status status = stoa_cancel_create(NULL, &cancel, &err);
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    if (status == STOA_OK) {
        shell->session.context.cancel = cancel;
        stoa_interrupt_set(cancel);
        status = stoa_session_run(shell->sql_session, sql, &shell->session.context, &rows, &info,
                                  &err);
    }
    if (status == STOA_OK && info.has_rows) {
        status = stoa_cli_output_rows(shell->session.database, &shell->output, &rows,
                                      &shell->session.context, &count, &err);
    } else if (status == STOA_OK) {
        stoa_arrow_stream_release(&rows);
        char text[32];
        if (info.rows_changed >= 0) {
            (void)printf(" %s: %s row%s\n", info.statement,
                         stoa_count_text(info.rows_changed, text),
                         info.rows_changed == 1 ? "" : "s");
        }
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    stoa_interrupt_set(shell->session.cancel);
    shell->session.context.cancel = shell->session.cancel;
    stoa_cancel_close(cancel);
    if (status != STOA_OK) {
        report(shell, status, &err);
    } else if (shell->timer) {
        char text[32];
        double seconds = (double)(after.tv_sec - before.tv_sec) +
                         (double)(after.tv_nsec - before.tv_nsec) / 1e9;
        (void)printf(" %s\n", stoa_seconds_text(seconds, text));
    }
}

static stoa_status print_table_name(void *user, const stoa_table_info *info, stoa_error *err) {
    (void)user;
    (void)err;
    char count[32];
    (void)printf("  %-32s %-8s %15s rows\n", info->name, info->kind,
                 info->row_count < 0 ? "?" : stoa_count_text(info->row_count, count));
    return STOA_OK;
}

static stoa_status print_schema(void *user, const stoa_table_info *info, stoa_error *err) {
    struct shell *shell = user;
    const stoa_schema *schema = NULL;
    stoa_status status = stoa_table_schema(shell->session.database, info->name, &schema, err);
    if (status == STOA_OK) {
        size_t size = stoa_schema_print(schema, NULL, 0) + 1;
        char *text = stoa_cli_allocate(size);
        (void)stoa_schema_print(schema, text, size);
        (void)printf("  %s: %s\n", info->name, text);
        stoa_cli_free(text);
        stoa_schema_close(schema);
    }
    return status;
}

static void set_format(struct shell *shell, const char *format) {
    stoa_error err = STOA_ERROR_NONE;
    char before[sizeof shell->format];
    memcpy(before, shell->format, sizeof before);
    (void)snprintf(shell->format, sizeof shell->format, "%s", format);
    if (stoa_cli_output_check(&shell->output, &err) != STOA_OK) {
        memcpy(shell->format, before, sizeof before);
        report(shell, STOA_INVALID, &err);
    }
}

static void set_rows(struct shell *shell, const char *text) {
    char *end = NULL;
    errno = 0;
    long long rows = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && rows >= 0) {
        shell->output.rows_max = rows;
        return;
    }
    stoa_error err = STOA_ERROR_NONE;
    report(shell,
           stoa_fail(&err, STOA_INVALID, ".rows: expected a whole number but found '%s'", text),
           &err);
}

static void print_help(void) {
    (void)puts("  .tables            list the tables\n"
               "  .schema [TABLE]    columns and types of one table or all\n"
               "  .mode FORMAT       table, csv, tsv, json, jsonl, markdown or line\n"
               "  .timer on|off      say how long each statement took\n"
               "  .rows N            rows that a table shows, 0 is all\n"
               "  .quit              leave (also Ctrl-D)\n"
               "  Statements end with ';'. Ctrl-C cancels a running query.");
}

static void show_schema(struct shell *shell, const char *table) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_status status;
    if (table[0] == '\0') {
        status = stoa_tables_each(shell->session.database, print_schema, shell, &err);
    } else {
        stoa_table_info info = {.name = (char *)(uintptr_t)table};
        status = print_schema(shell, &info, &err);
    }
    if (status != STOA_OK) {
        report(shell, status, &err);
    }
}

/* Returns false when the shell is to end. */
static bool run_dot(struct shell *shell, char *line) {
    line[strcspn(line, "\r\n")] = '\0';
    char *argument = line + strcspn(line, " \t");
    if (*argument != '\0') {
        *argument++ = '\0';
        argument += strspn(argument, " \t");
    }
    stoa_error err = STOA_ERROR_NONE;
    if (strcmp(line, ".quit") == 0 || strcmp(line, ".exit") == 0) {
        return false;
    }
    if (strcmp(line, ".help") == 0) {
        print_help();
    } else if (strcmp(line, ".tables") == 0) {
        stoa_status status =
            stoa_tables_each(shell->session.database, print_table_name, NULL, &err);
        if (status != STOA_OK) {
            report(shell, status, &err);
        }
    } else if (strcmp(line, ".schema") == 0) {
        show_schema(shell, argument);
    } else if (strcmp(line, ".mode") == 0) {
        set_format(shell, argument);
    } else if (strcmp(line, ".timer") == 0) {
        shell->timer = strcmp(argument, "off") != 0;
    } else if (strcmp(line, ".rows") == 0) {
        set_rows(shell, argument);
    } else {
        (void)stoa_fail(&err, STOA_INVALID, "unknown command '%s': .help lists them", line);
        report(shell, STOA_INVALID, &err);
    }
    return true;
}

static void loop(struct shell *shell) {
    char *buffer = NULL;
    size_t capacity = 0;
    char *text = stoa_cli_allocate(1);
    size_t size = 0;
    for (const char *line; (line = read_line(shell, &buffer, &capacity)) != NULL;) {
        size_t length = strlen(line);
        if (length == 0) { /* Ctrl-C: forget what was typed */
            size = 0;
            continue;
        }
        if (size == 0 && line[0] == '.') {
            char *copy = stoa_cli_copy(line);
            bool go_on = run_dot(shell, copy);
            stoa_cli_free(copy);
            if (!go_on) {
                break;
            }
            continue;
        }
        text = stoa_cli_grow(text, size + length + 1);
        memcpy(text + size, line, length + 1);
        size += length;
        bool complete = false;
        for (size_t taken = stoa_sql_statement_length(text, size, &complete);
             taken > 0 && complete; taken = stoa_sql_statement_length(text, size, &complete)) {
            char after = text[taken];
            text[taken] = '\0';
            if (shell->history != NULL) {
                HistEvent event;
                (void)history(shell->history, &event, H_ENTER, text);
            }
            run_statement(shell, text);
            text[taken] = after;
            memmove(text, text + taken, size - taken + 1);
            size -= taken;
        }
        if (stoa_sql_statement_length(text, size, &complete) == 0) {
            size = 0;
        }
        shell->continued = size > 0;
    }
    if (size > 0) { /* input that ends without its last semicolon */
        run_statement(shell, text);
    }
    stoa_cli_free(text);
    stoa_cli_free(buffer);
}

int stoa_cli_shell(const stoa_cli_arguments *arguments) {
    stoa_error err = STOA_ERROR_NONE;
    struct shell shell = {.interactive = isatty(STDIN_FILENO) == 1};
    const char *format = stoa_cli_value(arguments, "--format");
    (void)snprintf(shell.format, sizeof shell.format, "%s", format == NULL ? "table" : format);
    shell.output = (stoa_cli_output){.format = shell.format, .rows_max = 40};
    stoa_status status = stoa_cli_output_check(&shell.output, &err);
    if (status != STOA_OK) {
        return stoa_cli_usage("shell", "%s", err.message);
    }
    status = stoa_cli_session_open(arguments->positionals[0], STOA_CLI_WRITE, &shell.session, &err);
    if (status != STOA_OK) {
        return stoa_cli_fail("shell", status, &err);
    }
    status = stoa_session_open(shell.session.database, &shell.sql_session, &err);
    if (status != STOA_OK) {
        stoa_cli_session_close(&shell.session);
        return stoa_cli_fail("shell", status, &err);
    }
    if (shell.interactive) {
        (void)printf("stoa %s, DuckDB %s. Statements end with ';', .help says more.\n",
                     stoa_version(), stoa_engine_version(shell.session.database));
        editor_open(&shell);
    }
    loop(&shell);
    if (shell.interactive) {
        (void)fputc('\n', stdout);
    }
    editor_close(&shell);
    stoa_session_close(shell.sql_session);
    stoa_cli_session_close(&shell.session);
    return shell.failed && !shell.interactive ? STOA_EXIT_FAILED : STOA_EXIT_OK;
}
