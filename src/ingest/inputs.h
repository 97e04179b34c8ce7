/* The files of one load: globs expanded, standard input and what the engine cannot unpack brought
 * into temporary files, formats known. */
#ifndef STOA_INGEST_INPUTS_H
#define STOA_INGEST_INPUTS_H

#include "ingest/detect.h"

#include "mem/arena.h"
#include "table/table.h"

typedef struct stoa_ingest_input {
    const char *name; /* as the user knows it, for messages */
    const char *path; /* to read: the same, or a temporary file */
    uint64_t bytes;   /* of the file as it was given */
    stoa_ingest_kind kind;
    bool temporary; /* `path` is ours to remove */
    bool whole;     /* JSON Lines: read in one piece, by whatever the engine finds there */
    bool all_rows;  /* columns are guessed from every row, not from the first ones */
} stoa_ingest_input;

typedef struct stoa_ingest_inputs {
    stoa_database *database;
    stoa_arena arena;
    stoa_ingest_input *items;
    size_t count;
    size_t capacity;
    uint64_t bytes;
} stoa_ingest_inputs;

/// Finds every file of `paths`. "-" is standard input.
///
/// Errors   STOA_NOT_FOUND  a path or a glob names nothing
///          STOA_INVALID    a format cannot be told
/// Owns     The caller releases `out`, which removes the temporary files; also on error.
STOA_MUST_USE stoa_status stoa_ingest_inputs_init(stoa_database *database, const char *const *paths,
                                                  size_t path_count, const char *format,
                                                  const stoa_context *context,
                                                  stoa_ingest_inputs *out, stoa_error *err);
/// Makes an input readable by what reads plain local files only: unpacked, and a JSON text without
/// its byte order mark.
///
/// Errors   STOA_LIMIT    JSON values nest deeper than the engine survives, with line
///          STOA_CORRUPT  a compressed file is damaged
STOA_MUST_USE stoa_status stoa_ingest_input_localize(stoa_ingest_inputs *inputs,
                                                     stoa_ingest_input *input,
                                                     const stoa_context *context, stoa_error *err);
void stoa_ingest_inputs_release(stoa_ingest_inputs *inputs);

#endif
