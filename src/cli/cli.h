/* The command `stoa`: verbs, options, and how results and failures reach a person.
 *
 * The command uses the library as any other program does: nothing below include/stoa. A verb is one
 * entry of a table (verbs.c) from which dispatch, --help, shell completion and the manual page are
 * all made. */
#ifndef STOA_CLI_CLI_H
#define STOA_CLI_CLI_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include <stoa/stoa.h>

/// Exit codes, as docs/command.md promises them.
enum {
    STOA_EXIT_OK = 0,
    STOA_EXIT_FAILED = 1,      /* bad SQL, a missing table, rows that do not fit */
    STOA_EXIT_USAGE = 2,
    STOA_EXIT_IO = 3,
    STOA_EXIT_CORRUPT = 4,
    STOA_EXIT_INTERRUPTED = 130,
    STOA_EXIT_PIPE = 141 /* who read standard output went away; nothing is said about it */
};

enum { STOA_CLI_OPTIONS_MAX = 24, STOA_CLI_POSITIONALS_MAX = 1024 };

/// One option of a verb. `argument` NULL: a switch.
typedef struct stoa_cli_option {
    const char *name; /* "--format" */
    char letter;      /* 'o' for -o, or 0 */
    const char *argument;
    const char *help;
} stoa_cli_option;

typedef struct stoa_cli_arguments stoa_cli_arguments;

typedef struct stoa_cli_verb {
    const char *name;
    const char *positionals; /* "DB TABLE FILE…" */
    int positionals_min;
    int positionals_max;
    const char *summary;     /* one line */
    const char *description; /* NULL: the summary says it all */
    const char *examples;
    stoa_cli_option options[STOA_CLI_OPTIONS_MAX];
    int (*run)(const stoa_cli_arguments *arguments);
} stoa_cli_verb;

struct stoa_cli_arguments {
    const stoa_cli_verb *verb;
    const char *positionals[STOA_CLI_POSITIONALS_MAX];
    int positional_count;
    const char *values[STOA_CLI_OPTIONS_MAX]; /* by the verb's option; "" for a switch; NULL: unset */
};

/* verbs.c */
extern const stoa_cli_verb stoa_cli_verbs[];
extern const int stoa_cli_verb_count;
const stoa_cli_verb *stoa_cli_verb_find(const char *name);

/* arguments.c: fails with STOA_INVALID and a message that ends in a suggestion where there is one. */
stoa_status stoa_cli_arguments_parse(const stoa_cli_verb *verb, int count, char **words,
                                     stoa_cli_arguments *out, stoa_error *err);
const char *stoa_cli_value(const stoa_cli_arguments *arguments, const char *option);
stoa_status stoa_cli_value_i64(const stoa_cli_arguments *arguments, const char *option,
                               int64_t minimum, int64_t *inout, stoa_error *err);
/// "7d", "12h", "30m", "45s", "0" in milliseconds; fails with STOA_INVALID, naming the option.
stoa_status stoa_cli_age_parse(const char *option, const char *text, int64_t *out_ms,
                               stoa_error *err);
/// The candidate that is nearest to `word`, or NULL when none is near.
const char *stoa_cli_nearest(const char *word, const char *const *candidates, int count);

/* report.c */
int stoa_cli_exit_code(stoa_status status, const stoa_error *err);
/// Prints "stoa: VERB: message" and returns the exit code.
int stoa_cli_fail(const char *verb, stoa_status status, const stoa_error *err);
/// Standard output is a pipe that nobody reads any more (`stoa cat … | head`).
bool stoa_cli_reader_is_gone(void);
int stoa_cli_usage(const char *verb, const char *format, ...) STOA_PRINTF(2, 3);

/* help.c */
void stoa_cli_help(FILE *out);
void stoa_cli_help_verb(FILE *out, const stoa_cli_verb *verb);
int stoa_cli_completion(const stoa_cli_arguments *arguments);
int stoa_cli_manual(const stoa_cli_arguments *arguments);

/* terminal.c */
bool stoa_terminal_is(FILE *stream);
int stoa_terminal_width(void); /* columns of the terminal, or 0 when nobody knows */
bool stoa_terminal_color(FILE *stream);
bool stoa_terminal_unicode(void);
/// Columns that UTF-8 text takes on a terminal; control characters count one each.
int stoa_text_width(const char *text, size_t size);
/// Bytes of the longest prefix that takes at most `columns`.
size_t stoa_text_prefix(const char *text, size_t size, int columns);
/// Ctrl-C triggers this token for the rest of the process; a second Ctrl-C ends the process.
stoa_status stoa_interrupt_install(stoa_cancel **out, stoa_error *err);
/// For the shell: each command gets a fresh token.
void stoa_interrupt_set(stoa_cancel *cancel);

/* memory.c: out of memory ends the command with one line, as there is nothing else to do. */
void *stoa_cli_allocate(size_t size);
void *stoa_cli_grow(void *memory, size_t size);
char *stoa_cli_copy(const char *text);
void stoa_cli_free(void *memory);

/* progress.c: a bar on standard error, drawn only on a terminal. */
typedef struct stoa_cli_progress stoa_cli_progress;
stoa_cli_progress *stoa_cli_progress_start(const char *title, bool wanted);
void stoa_cli_progress_update(void *progress, const stoa_progress *state);
void stoa_cli_progress_end(stoa_cli_progress *progress);

/* output.c: rows in the format that was asked for. */
typedef struct stoa_cli_output {
    const char *format;  /* NULL: table on a terminal, csv into a pipe */
    const char *path;    /* NULL: standard output */
    int64_t rows_max;    /* of table and markdown; 0: all */
    int width;           /* 0: the terminal's */
    const stoa_parquet_export_options *parquet; /* NULL: none are given */
} stoa_cli_output;
/// Whether the rows go out as Parquet.
bool stoa_cli_output_is_parquet(const stoa_cli_output *output);
stoa_status stoa_cli_output_check(const stoa_cli_output *output, stoa_error *err);
/// Takes `rows`, also on error.
stoa_status stoa_cli_output_rows(stoa_database *database, const stoa_cli_output *output,
                                 struct ArrowArrayStream *rows, const stoa_context *context,
                                 int64_t *out_rows, stoa_error *err);

/* table_view.c */
stoa_status stoa_table_view(FILE *out, struct ArrowArrayStream *rows, int64_t rows_max, int width,
                            bool markdown, const stoa_context *context, int64_t *out_rows,
                            stoa_error *err);
/// "12,345", "1.2 MB", "3.4 s" into `out`; returned for use in printf.
const char *stoa_count_text(int64_t count, char out[32]);
const char *stoa_bytes_text(uint64_t bytes, char out[32]);
const char *stoa_seconds_text(double seconds, char out[32]);
/// "2024-02-29 12:30:00", of milliseconds since 1970 UTC; NULL where there is none (0).
const char *stoa_time_text(int64_t time_ms, char out[32]);

/* shell.c */
int stoa_cli_shell(const stoa_cli_arguments *arguments);

/* verb_*.c */
int stoa_cli_init(const stoa_cli_arguments *arguments);
int stoa_cli_sql(const stoa_cli_arguments *arguments);
int stoa_cli_load(const stoa_cli_arguments *arguments);
int stoa_cli_export(const stoa_cli_arguments *arguments);
int stoa_cli_tables(const stoa_cli_arguments *arguments);
int stoa_cli_schema(const stoa_cli_arguments *arguments);
int stoa_cli_summary(const stoa_cli_arguments *arguments);
int stoa_cli_history(const stoa_cli_arguments *arguments);
int stoa_cli_files(const stoa_cli_arguments *arguments);
int stoa_cli_cat(const stoa_cli_arguments *arguments);
int stoa_cli_inspect(const stoa_cli_arguments *arguments);
int stoa_cli_drop(const stoa_cli_arguments *arguments);
int stoa_cli_rename(const stoa_cli_arguments *arguments);
int stoa_cli_alter(const stoa_cli_arguments *arguments);
int stoa_cli_expire(const stoa_cli_arguments *arguments);
int stoa_cli_verify(const stoa_cli_arguments *arguments);
int stoa_cli_repair(const stoa_cli_arguments *arguments);
int stoa_cli_put(const stoa_cli_arguments *arguments);
int stoa_cli_get(const stoa_cli_arguments *arguments);
int stoa_cli_delete(const stoa_cli_arguments *arguments);
int stoa_cli_scan(const stoa_cli_arguments *arguments);
int stoa_cli_compact(const stoa_cli_arguments *arguments);
int stoa_cli_publish(const stoa_cli_arguments *arguments);
int stoa_cli_stats(const stoa_cli_arguments *arguments);
int stoa_cli_backup(const stoa_cli_arguments *arguments);
int stoa_cli_restore(const stoa_cli_arguments *arguments);
int stoa_cli_clone(const stoa_cli_arguments *arguments);

/* listing.c: rows that the command makes itself (tables, files), as a stream like any other. */
typedef struct stoa_listing stoa_listing;
/// `kinds` holds a letter for each column: 't' text, 'i' a 64-bit integer.
stoa_listing *stoa_listing_create(const char *const *names, const char *kinds);
/// Values are added column by column, row after row. NULL text is a null.
void stoa_listing_add_text(stoa_listing *listing, const char *value);
void stoa_listing_add_i64(stoa_listing *listing, int64_t value);
void stoa_listing_add_unknown(stoa_listing *listing); /* a null integer */
/// Moves the rows into a stream and closes the listing.
void stoa_listing_finish(stoa_listing *listing, struct ArrowArrayStream *out);

/* session.c: what nearly every verb does first. */
typedef struct stoa_cli_session {
    stoa_database *database;
    stoa_cancel *cancel;
    stoa_context context;
} stoa_cli_session;
typedef enum stoa_cli_open { STOA_CLI_READ, STOA_CLI_WRITE, STOA_CLI_CREATE } stoa_cli_open;
stoa_status stoa_cli_session_open(const char *uri, stoa_cli_open mode, stoa_cli_session *out,
                                  stoa_error *err);
void stoa_cli_session_close(stoa_cli_session *session);

#endif
