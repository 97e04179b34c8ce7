/* CSV and JSON Lines files of one load as a pipeline: blocks of whole records are its morsels, and an
 * operator makes rows of them, on as many threads as there are.
 *
 *     files ── reader ── block ──▶ engine's reader ── fit ──▶ (sink)
 *             one at a time        in parallel */
#ifndef STOA_INGEST_TEXT_SOURCE_H
#define STOA_INGEST_TEXT_SOURCE_H

#include "ingest/fit.h"
#include "ingest/text_block.h"

#include <stoa/query.h>

/// What tests change. All-zero stands for the defaults.
typedef struct stoa_ingest_tuning {
    size_t block_bytes;
    size_t record_bytes_max;
    bool no_plain; /* every block is read by the engine */
    stoa_transaction *transaction; /* of the load; NULL: one of its own */
} stoa_ingest_tuning;

typedef struct stoa_text_source stoa_text_source;

/// True when files of this kind can be read in blocks.
bool stoa_text_source_offers(const stoa_ingest_input *input);

/// Looks at the beginnings of inputs[0..count), all of one format, and fixes how they are read.
/// `target` (nullable) gives columns their types. `inputs` and `context` must outlive the source.
///
/// Errors   STOA_INVALID      a file is no table
///          STOA_UNSUPPORTED  `rejects` for JSON
/// Owns     The caller closes it when no pipeline uses it.
STOA_MUST_USE stoa_status stoa_text_source_open(stoa_database *database,
                                                const stoa_ingest_input *inputs, size_t count,
                                                const stoa_schema *target, bool rejects,
                                                const stoa_ingest_tuning *tuning,
                                                const stoa_context *context, stoa_text_source **out,
                                                stoa_error *err);
/// NULL is allowed.
void stoa_text_source_close(stoa_text_source *source);

/// The columns of all files together; borrowed.
const stoa_schema *stoa_text_source_schema(const stoa_text_source *source);

/// The stages. Before the pipeline runs, `fit` says what becomes of rows; it is borrowed.
stoa_pipeline_source stoa_text_source_blocks(stoa_text_source *source);
stoa_pipeline_operator stoa_text_source_parser(stoa_text_source *source, stoa_ingest_fit *fit);

/// Bytes of files, as they were given, that rows were made of so far.
///
/// Threads  Any.
uint64_t stoa_text_source_bytes_done(const stoa_text_source *source);
/// Whether the columns of JSON, found in its first rows, are those of all rows. Of use after a
/// failure.
typedef enum stoa_text_guess {
    STOA_GUESS_HOLDS,
    STOA_GUESS_FAILS, /* a value could not be read as its column was guessed */
    STOA_GUESS_LACKS  /* a row has more members, or a fraction where whole numbers were */
} stoa_text_guess;
stoa_text_guess stoa_text_source_guess(const stoa_text_source *source);

#endif
