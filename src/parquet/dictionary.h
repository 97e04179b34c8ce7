/* Whether a leaf is worth a dictionary, and building it. */
#ifndef STOA_PARQUET_DICTIONARY_H
#define STOA_PARQUET_DICTIONARY_H

#include "parquet/levels.h"

/// The different values of one leaf in one row group in order of appearance, a code for every
/// value, and working memory for the next leaf.
typedef struct stoa_leaf_dictionary {
    uint32_t entry_count;
    const void *entries; /* as the leaf's values are: numbers of its width, or views */
    const uint32_t *codes;

    stoa_buffer entry_buffer;
    stoa_buffer code_buffer;
    stoa_buffer slots;
    stoa_buffer sample;
} stoa_leaf_dictionary;

void stoa_leaf_dictionary_init(stoa_leaf_dictionary *dictionary, stoa_pool *pool);
void stoa_leaf_dictionary_release(stoa_leaf_dictionary *dictionary);

/// Builds the dictionary where it makes the chunk smaller and stays within `bytes_max`; otherwise
/// `*out_useful` is false and nothing of it is used. The answer depends on the values alone.
STOA_MUST_USE stoa_status stoa_leaf_dictionary_build(stoa_leaf_dictionary *dictionary,
                                                     const stoa_leaf *leaf,
                                                     const stoa_leaf_values *values,
                                                     size_t bytes_max, bool *out_useful,
                                                     stoa_error *err);

#endif
