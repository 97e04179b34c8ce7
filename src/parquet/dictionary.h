/* Whether a leaf is worth a dictionary, and building it. */
#ifndef STOA_PARQUET_DICTIONARY_H
#define STOA_PARQUET_DICTIONARY_H

#include "parquet/levels.h"

/// The different values of one leaf in one row group, a code for every value, and working memory for
/// the next leaf. Entries ascend where integers lie close together; other numbers have the order of their
/// bits where that helps the codec; else entries come in order of appearance.
typedef struct stoa_leaf_dictionary {
    uint32_t entry_count;
    bool is_sorted;
    const void *entries; /* as the leaf's values are: numbers of its width, or views */
    const uint32_t *codes;

    stoa_buffer entry_buffer;
    stoa_buffer code_buffer;
    stoa_buffer slots;
    stoa_buffer sample;
} stoa_leaf_dictionary;

/// What a dictionary may cost.
typedef struct stoa_dictionary_limits {
    size_t entry_bytes_max; /* of all entries in PLAIN */
    double worth_bytes;     /* entries and codes together: what other encodings would take */
    bool will_compress;     /* by a codec that gains from numbers in the order of their bits */
} stoa_dictionary_limits;

void stoa_leaf_dictionary_init(stoa_leaf_dictionary *dictionary, stoa_pool *pool);
void stoa_leaf_dictionary_release(stoa_leaf_dictionary *dictionary);

/// Builds the dictionary where it stays within `limits`; otherwise `*out_useful` is false and nothing
/// of it is used. The answer depends on the values alone.
STOA_MUST_USE stoa_status stoa_leaf_dictionary_build(stoa_leaf_dictionary *dictionary,
                                                     const stoa_leaf *leaf,
                                                     const stoa_leaf_values *values,
                                                     const stoa_dictionary_limits *limits,
                                                     bool *out_useful, stoa_error *err);

#endif
