/* JSON Lines as blocks: the columns of a file, found once from its beginning, and the engine's reader
 * over one block. */
#ifndef STOA_INGEST_JSONL_H
#define STOA_INGEST_JSONL_H

#include "ingest/text_block.h"

#include <stoa/query.h>

/// The columns that the engine finds in the beginning of a file.
///
/// Owns     The caller closes `*out`.
STOA_MUST_USE stoa_status stoa_jsonl_find(stoa_session *session, const stoa_text_block *sample,
                                          const stoa_context *context, const stoa_schema **out,
                                          stoa_error *err);

/// The part of a block's query that all blocks share: the columns of `found` (of all files of the
/// load) and `target`, in the target's types where it names them.
STOA_MUST_USE stoa_status stoa_jsonl_options_print(const stoa_schema *found,
                                                   const stoa_schema *target, stoa_pool *pool,
                                                   stoa_buffer *sql, stoa_error *err);
/// The query over one sealed block.
STOA_MUST_USE stoa_status stoa_jsonl_query_print(const char *options, const stoa_text_block *block,
                                                 stoa_buffer *sql, stoa_error *err);

/// Finds the first line of a block that the engine refuses, and says in `err` why.
///
/// Errors   what the engine says of that line, with its number in the file; STOA_OK when it takes
///          each line by itself
STOA_MUST_USE stoa_status stoa_jsonl_first_bad_line(stoa_session *session, const char *options,
                                                    const stoa_text_block *block,
                                                    const stoa_context *context, stoa_error *err);

#endif
