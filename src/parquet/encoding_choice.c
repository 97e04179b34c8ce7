/* What an encoding costs is reckoned in bytes a value: the bytes that are stored, what undoing the codec
 * costs of time, and what undoing the encoding does, where reading a byte from storage at about half a
 * gigabyte a second is worth two nanoseconds. The bytes come from a sample: stretches of neighbours,
 * spread over the chunk, are encoded each way, and compressed by the codec in use. The numbers below
 * were measured with our own reader and need not be exact: they decide between ways that are close.
 *
 * A dictionary is another matter, since its size is not known before the values are: from the best of
 * the other ways follows how many entries it may have to be cheaper, and dictionary.c tells from a
 * sample of its own whether that is possible before it hashes anything. */
#include "parquet/encoding_choice.h"

#include "parquet/value_encoder.h"

enum {
    STRETCHES = 8,
    STRETCH_VALUES = 129, /* a first value and a whole block of differences */
    CANDIDATES_MAX = 4
};

/* Of the best other way's cost: what a dictionary may cost. It is built with more work. */
#define DICTIONARY_WORTH 0.9
/* The same where there is nothing but PLAIN and no codec, so that readers look up no code in vain. */
#define DICTIONARY_WORTH_PLAIN 0.75

/* Undoing an encoding, a value. */
static double decoding_cost(stoa_parquet_encoding encoding) {
    switch (encoding) {
    case STOA_PARQUET_PLAIN: return 0.02;
    case STOA_PARQUET_DELTA_BINARY_PACKED: return 0.1;
    case STOA_PARQUET_BYTE_STREAM_SPLIT: return 0.1;
    case STOA_PARQUET_DELTA_LENGTH_BYTE_ARRAY: return 0.3;
    case STOA_PARQUET_DELTA_BYTE_ARRAY: return 2;
    default: return 0.1;
    }
}

/* Undoing the codec, for each byte that comes out. */
static double unpacking_cost(stoa_parquet_codec codec) {
    switch (codec) {
    case STOA_PARQUET_NONE: return 0;
    case STOA_PARQUET_LZ4_RAW: return 0.15;
    case STOA_PARQUET_SNAPPY: return 0.2;
    case STOA_PARQUET_ZSTD: return 0.3;
    case STOA_PARQUET_GZIP: return 0.6;
    case STOA_PARQUET_BROTLI: return 1;
    }
    return 0;
}

void stoa_encoding_chooser_init(stoa_encoding_chooser *chooser, stoa_pool *pool,
                                const stoa_parquet_options *options, stoa_codec *codec) {
    *chooser = (stoa_encoding_chooser){.options = options, .codec = codec};
    stoa_buffer_init(&chooser->encoded, pool);
    stoa_buffer_init(&chooser->packed, pool);
    stoa_buffer_init(&chooser->scratch, pool);
}

void stoa_encoding_chooser_release(stoa_encoding_chooser *chooser) {
    stoa_buffer_release(&chooser->encoded);
    stoa_buffer_release(&chooser->packed);
    stoa_buffer_release(&chooser->scratch);
}

/* ---- What is asked for ----------------------------------------------------------------------- */

/* A column's name stands for all its leaves, a leaf's for itself. */
static bool names_leaf(const char *column, const stoa_leaf *leaf) {
    const size_t size = strlen(column);
    return strncmp(column, leaf->name, size) == 0 &&
           (leaf->name[size] == '\0' || leaf->name[size] == '.');
}

static const stoa_parquet_encoding *asked_for(const stoa_parquet_options *options,
                                              const stoa_leaf *leaf) {
    for (int32_t i = 0; i < options->encoding_count; i++) {
        if (names_leaf(options->encodings[i].column, leaf)) {
            return &options->encodings[i].encoding;
        }
    }
    return NULL;
}

stoa_status stoa_encoding_check(const stoa_parquet_options *options, const stoa_leaf *leaves,
                                int32_t leaf_count, stoa_error *err) {
    for (int32_t i = 0; i < options->encoding_count; i++) {
        const stoa_parquet_column_encoding *wanted = &options->encodings[i];
        bool found = false;
        for (int32_t at = 0; at < leaf_count; at++) {
            if (!names_leaf(wanted->column, &leaves[at])) {
                continue;
            }
            found = true;
            if (!stoa_leaf_allows(&leaves[at], wanted->encoding)) {
                return stoa_fail(err, STOA_INVALID,
                                 "column '%s': %s values cannot be written as %s", leaves[at].name,
                                 stoa_parquet_physical_name((int32_t)leaves[at].physical),
                                 stoa_parquet_encoding_name((int32_t)wanted->encoding));
            }
        }
        if (!found) {
            return stoa_fail(err, STOA_NOT_FOUND,
                             "expected a column to encode but found none of the name '%s'",
                             wanted->column);
        }
    }
    return STOA_OK;
}

/* ---- Costs ----------------------------------------------------------------------------------- */

static bool is_required_in_optional_struct(const stoa_leaf *leaf) {
    bool optional = false;
    for (int32_t i = 0; i + 1 < leaf->step_count; i++) {
        optional = optional ||
                   (leaf->steps[i].kind == STOA_LEAF_STEP_STRUCT && leaf->steps[i].optional);
    }
    return optional && !leaf->steps[leaf->step_count - 1].optional;
}

/* What is left out is read by some only, and written when it is asked for: DuckDB reads streams of bytes of
 * floats only; Polars neither them nor prefixes of optional fixed bytes, and it fails on required values
 * of optional structs in all of these encodings, whoever wrote them. */
static bool is_read_by_all(const stoa_leaf *leaf, stoa_parquet_encoding encoding) {
    return leaf->physical != STOA_PARQUET_FIXED && !is_required_in_optional_struct(leaf) &&
           (encoding != STOA_PARQUET_BYTE_STREAM_SPLIT || leaf->value_class == STOA_LEAF_FLOAT ||
            leaf->value_class == STOA_LEAF_DOUBLE);
}

static size_t list_candidates(const stoa_leaf *leaf, stoa_parquet_profile profile,
                              stoa_parquet_encoding *out) {
    static const stoa_parquet_encoding modern[] = {
        STOA_PARQUET_RLE, STOA_PARQUET_DELTA_BINARY_PACKED, STOA_PARQUET_BYTE_STREAM_SPLIT,
        STOA_PARQUET_DELTA_LENGTH_BYTE_ARRAY, STOA_PARQUET_DELTA_BYTE_ARRAY};
    size_t count = 0;
    out[count++] = STOA_PARQUET_PLAIN;
    for (size_t i = 0; profile == STOA_PARQUET_MODERN && i < sizeof modern / sizeof *modern; i++) {
        if (stoa_leaf_allows(leaf, modern[i]) && is_read_by_all(leaf, modern[i])) {
            out[count++] = modern[i];
        }
    }
    STOA_ASSERT(count <= CANDIDATES_MAX);
    return count;
}

/* Bytes of the sample, encoded and then compressed, and how many values it has. The head of each stretch
 * (of deltas: their header and first value) does not count: a page has one for twenty thousand. */
static stoa_status measure(stoa_encoding_chooser *chooser, const stoa_leaf *leaf,
                           const stoa_leaf_values *values, stoa_parquet_encoding encoding,
                           double *out_cost, stoa_error *err) {
    const int64_t total = values->value_count;
    const bool whole = total <= (int64_t)STRETCHES * STRETCH_VALUES;
    const int64_t stretch = whole ? total : STRETCH_VALUES;
    const int64_t step = whole ? total : (total - stretch) / (STRETCHES - 1);
    const size_t stride = stoa_leaf_stride(leaf);
    stoa_buffer_clear(&chooser->encoded);
    int64_t counted = 0;
    for (int64_t first = 0; first + stretch <= total; first += step) {
        STOA_TRY(stoa_values_encode(leaf, encoding,
                                    (const uint8_t *)values->data + (size_t)first * stride, stretch,
                                    &chooser->scratch, &chooser->encoded, err));
        counted += stretch;
    }
    double heads = 0;
    if (!whole && encoding == STOA_PARQUET_DELTA_BINARY_PACKED) {
        const size_t before = chooser->encoded.size;
        STOA_TRY(stoa_values_encode(leaf, encoding, values->data, 1, &chooser->scratch,
                                    &chooser->encoded, err));
        heads = (double)(chooser->encoded.size - before) * STRETCHES;
        chooser->encoded.size = before;
    }
    const double plain = (double)chooser->encoded.size;
    double stored = plain, unpacking = 0;
    if (chooser->options->codec != STOA_PARQUET_NONE) {
        stoa_buffer_clear(&chooser->packed);
        STOA_TRY(stoa_codec_compress(chooser->codec, chooser->encoded.data, chooser->encoded.size,
                                     &chooser->packed, err));
        const double packed = (double)chooser->packed.size;
        if (packed < plain) {
            stored = packed;
            unpacking = unpacking_cost(chooser->options->codec) * plain;
            /* The codec pays for itself, or the chunk is stored without it. */
            if (stored + unpacking > plain && stored > plain * 0.9) {
                stored = plain;
                unpacking = 0;
            }
        }
    }
    *out_cost = (stored + unpacking - heads * stored / (plain > 0 ? plain : 1)) / (double)counted +
                decoding_cost(encoding);
    return STOA_OK;
}

stoa_status stoa_encoding_choose(stoa_encoding_chooser *chooser, const stoa_leaf *leaf,
                                 const stoa_leaf_values *values, stoa_leaf_dictionary *dictionary,
                                 stoa_parquet_encoding *out, stoa_error *err) {
    const stoa_parquet_options *options = chooser->options;
    const stoa_parquet_encoding *asked = asked_for(options, leaf);
    *out = asked != NULL ? *asked : STOA_PARQUET_PLAIN;
    const bool by_dictionary = asked != NULL && *asked == STOA_PARQUET_RLE_DICTIONARY;
    if (leaf->value_class == STOA_LEAF_NULL) {
        *out = STOA_PARQUET_PLAIN;
        return STOA_OK;
    }
    if (asked != NULL && !by_dictionary) {
        return STOA_OK;
    }
    if (values->value_count == 0) {
        *out = STOA_PARQUET_PLAIN;
        return STOA_OK;
    }
    stoa_parquet_encoding candidates[CANDIDATES_MAX];
    const size_t count = list_candidates(leaf, options->profile, candidates);
    double cost = 0;
    if (count > 1 || options->codec != STOA_PARQUET_NONE) {
        for (size_t i = 0; i < count; i++) {
            double now;
            STOA_TRY(measure(chooser, leaf, values, candidates[i], &now, err));
            if (i == 0 || now < cost) {
                cost = now;
                *out = candidates[i];
            }
        }
        cost *= DICTIONARY_WORTH;
    } else {
        *out = STOA_PARQUET_PLAIN;
        cost = DICTIONARY_WORTH_PLAIN *
               stoa_values_plain_bytes(leaf, values->data, values->value_count) /
               (double)values->value_count;
    }
    if (!stoa_leaf_allows(leaf, STOA_PARQUET_RLE_DICTIONARY)) {
        return STOA_OK;
    }
    bool useful;
    const stoa_dictionary_limits limits = {
        .entry_bytes_max = options->dictionary_bytes,
        .will_compress = options->codec == STOA_PARQUET_ZSTD ||
                         options->codec == STOA_PARQUET_GZIP ||
                         options->codec == STOA_PARQUET_BROTLI,
        .worth_bytes = by_dictionary ? (double)INT64_MAX
                                     : (cost - decoding_cost(STOA_PARQUET_RLE_DICTIONARY)) *
                                           (double)values->value_count,
    };
    STOA_TRY(stoa_leaf_dictionary_build(dictionary, leaf, values, &limits, &useful, err));
    *out = useful ? STOA_PARQUET_RLE_DICTIONARY : *out;
    return STOA_OK;
}
