/* Which encoding the values of a chunk get: as asked for, or the cheapest by a sample. */
#ifndef STOA_PARQUET_ENCODING_CHOICE_H
#define STOA_PARQUET_ENCODING_CHOICE_H

#include "codec/compress.h"
#include "parquet/dictionary.h"
#include "parquet/writer.h"

/// Working memory, used for one chunk after the other.
typedef struct stoa_encoding_chooser {
    const stoa_parquet_options *options; /* borrowed, as is the codec */
    stoa_codec *codec;
    stoa_buffer encoded;
    stoa_buffer packed;
    stoa_buffer scratch;
} stoa_encoding_chooser;

void stoa_encoding_chooser_init(stoa_encoding_chooser *chooser, stoa_pool *pool,
                                const stoa_parquet_options *options, stoa_codec *codec);
void stoa_encoding_chooser_release(stoa_encoding_chooser *chooser);

/// Chooses for the values of a chunk, and builds the dictionary where that is the choice. It depends on
/// the values and the options alone.
STOA_MUST_USE stoa_status stoa_encoding_choose(stoa_encoding_chooser *chooser,
                                               const stoa_leaf *leaf,
                                               const stoa_leaf_values *values,
                                               stoa_leaf_dictionary *dictionary,
                                               stoa_parquet_encoding *out, stoa_error *err);

/// Checks that every column that an encoding is asked for exists and may be written so.
///
/// Errors   STOA_NOT_FOUND, STOA_INVALID  with the names
STOA_MUST_USE stoa_status stoa_encoding_check(const stoa_parquet_options *options,
                                              const stoa_leaf *leaves, int32_t leaf_count,
                                              stoa_error *err);

#endif
