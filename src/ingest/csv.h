/* CSV as blocks: the dialect of a file, fixed once from its beginning, and the engine's reader over
 * one block. */
#ifndef STOA_INGEST_CSV_H
#define STOA_INGEST_CSV_H

#include "ingest/text_block.h"

#include <stoa/query.h>

typedef struct stoa_csv_dialect {
    char delimiter[8];
    char quote[2];
    char escape[2];
    const char *newline; /* as the reader wants it: "\\n", "\\r\\n", "\\r" */
    char date_format[64];
    char timestamp_format[64];
    int64_t skip; /* lines above the header */
    bool header;
    const stoa_schema *found; /* the columns as the engine finds them */
} stoa_csv_dialect;

/// Looks at the beginning of a file, in `sample`. `target` (nullable) gives columns their types.
///
/// Errors   STOA_INVALID  it is no table; what the engine says of it
/// Owns     The caller releases `out`.
STOA_MUST_USE stoa_status stoa_csv_dialect_find(
    stoa_session *session, const stoa_ingest_input *input, const stoa_text_block *sample,
    const stoa_schema *target, const stoa_context *context, stoa_csv_dialect *out, stoa_error *err);
void stoa_csv_dialect_release(stoa_csv_dialect *dialect);

/// How files of the dialect are cut.
stoa_ingest_cut stoa_csv_dialect_cut(const stoa_csv_dialect *dialect);

/// The part of a block's query that all blocks of a file share: dialect, and columns in the types of
/// `found` (of all files of the load) and `target`.
STOA_MUST_USE stoa_status stoa_csv_options_print(const stoa_csv_dialect *dialect,
                                                 const stoa_schema *found,
                                                 const stoa_schema *target, stoa_pool *pool,
                                                 stoa_buffer *sql, stoa_error *err);
/// The query over one sealed block. `rejects` sets rows aside in the session, for
/// stoa_csv_each_reject.
STOA_MUST_USE stoa_status stoa_csv_query_print(const stoa_csv_dialect *dialect, const char *options,
                                               const stoa_text_block *block, bool rejects,
                                               stoa_buffer *sql, stoa_error *err);

/// A row of a block that was set aside.
typedef struct stoa_csv_reject {
    int64_t line; /* of the file */
    const char *column;
    const char *message;
    const char *text; /* of the row */
} stoa_csv_reject;
typedef stoa_status (*stoa_csv_reject_function)(void *user, const stoa_csv_reject *reject,
                                                stoa_error *err);

/// Calls `function` for each reject of the session's last query over `block`, in order of lines, and
/// forgets them.
STOA_MUST_USE stoa_status stoa_csv_each_reject(stoa_session *session, const stoa_text_block *block,
                                               const stoa_context *context,
                                               stoa_csv_reject_function function, void *user,
                                               stoa_error *err);

#endif
