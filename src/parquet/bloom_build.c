/* How many of the values are different need not be known: a filter that is large enough for all of them
 * is folded in halves while its bits, which are then known, still promise the rate. Since the block of
 * a hash is its upper half scaled to the number of blocks, the blocks 2i and 2i + 1 of a filter are
 * block i of the filter of half the size. */
#include "parquet/bloom_build.h"

#include <math.h>

#include "base/bytes.h"
#include "parquet/bloom_filter.h"
#include "parquet/levels.h"
#include "parquet/thrift_writer.h"

enum { WORDS = STOA_BLOOM_BLOCK_BYTES / 4, WORD_BITS = 32 };

bool stoa_bloom_is_possible(const stoa_leaf *leaf) {
    return leaf->value_class != STOA_LEAF_BOOL && leaf->value_class != STOA_LEAF_NULL;
}

/* ---- Size ------------------------------------------------------------------------------------ */

/* Of n different values each sets a bit in each of eight words, so a word's bit is clear with
 * probability exp(-n / 32 blocks); the rate is the eighth power of its complement. */
static size_t bytes_for(int64_t count, double rate, size_t bytes_max) {
    const double bits = -(double)WORDS * (double)count / log(1 - pow(rate, 1.0 / WORDS));
    size_t bytes = STOA_BLOOM_BLOCK_BYTES;
    while ((double)bytes * 8 < bits && bytes <= bytes_max / 2) {
        bytes *= 2;
    }
    return bytes;
}

/* The chance that a block says yes to a value which it lacks, summed over the blocks of the filter that
 * folding would make. */
static double rate_folded(const uint8_t *blocks, size_t block_count) {
    double sum = 0;
    for (size_t i = 0; i < block_count; i += 2) {
        double chance = 1;
        for (int word = 0; word < WORDS; word++) {
            const uint8_t *at = blocks + i * STOA_BLOOM_BLOCK_BYTES + word * 4;
            const uint32_t bits = stoa_load_u32(at) | stoa_load_u32(at + STOA_BLOOM_BLOCK_BYTES);
            chance *= (double)__builtin_popcount(bits) / WORD_BITS;
        }
        sum += chance;
    }
    return sum / (double)(block_count / 2);
}

static void fold(uint8_t *blocks, size_t block_count) {
    for (size_t i = 0; i < block_count / 2; i++) {
        for (int word = 0; word < WORDS; word++) {
            const uint8_t *at = blocks + 2 * i * STOA_BLOOM_BLOCK_BYTES + word * 4;
            const uint32_t bits = stoa_load_u32(at) | stoa_load_u32(at + STOA_BLOOM_BLOCK_BYTES);
            stoa_store_u32(blocks + i * STOA_BLOOM_BLOCK_BYTES + word * 4, bits);
        }
    }
}

/* ---- Values ---------------------------------------------------------------------------------- */

#define INSERT_AS(TYPE, PLAIN)                                                                     \
    do {                                                                                           \
        const TYPE *numbers = values;                                                              \
        for (int64_t i = 0; i < count; i++) {                                                      \
            const PLAIN plain = numbers[i];                                                        \
            stoa_bloom_insert(blocks, block_count, stoa_bloom_hash(&plain, sizeof plain));         \
        }                                                                                          \
    } while (0)

/* Zeros of both signs are equal, so one brings the other with it. */
#define INSERT_FLOATS(TYPE)                                                                        \
    do {                                                                                           \
        const TYPE *numbers = values;                                                              \
        for (int64_t i = 0; i < count; i++) {                                                      \
            const TYPE plain = numbers[i], other = -plain;                                         \
            stoa_bloom_insert(blocks, block_count, stoa_bloom_hash(&plain, sizeof plain));         \
            if (plain == 0) {                                                                      \
                stoa_bloom_insert(blocks, block_count, stoa_bloom_hash(&other, sizeof other));     \
            }                                                                                      \
        }                                                                                          \
    } while (0)

static void insert_values(const stoa_leaf *leaf, const void *values, int64_t count,
                          uint8_t *blocks, size_t block_count) {
    switch (leaf->value_class) {
    case STOA_LEAF_NULL:
    case STOA_LEAF_BOOL: break;
    case STOA_LEAF_I8: INSERT_AS(int8_t, int32_t); break;
    case STOA_LEAF_U8: INSERT_AS(uint8_t, int32_t); break;
    case STOA_LEAF_I16: INSERT_AS(int16_t, int32_t); break;
    case STOA_LEAF_U16: INSERT_AS(uint16_t, int32_t); break;
    case STOA_LEAF_I32: INSERT_AS(int32_t, int32_t); break;
    case STOA_LEAF_U32: INSERT_AS(uint32_t, uint32_t); break;
    case STOA_LEAF_I64: INSERT_AS(int64_t, int64_t); break;
    case STOA_LEAF_U64: INSERT_AS(uint64_t, uint64_t); break;
    case STOA_LEAF_FLOAT: INSERT_FLOATS(float); break;
    case STOA_LEAF_DOUBLE: INSERT_FLOATS(double); break;
    case STOA_LEAF_BYTES:
    case STOA_LEAF_FIXED:
    case STOA_LEAF_FIXED_SIGNED:
    case STOA_LEAF_FIXED_NO_ORDER: {
        const stoa_bytes_view *views = values;
        for (int64_t i = 0; i < count; i++) {
            stoa_bloom_insert(blocks, block_count, stoa_bloom_hash(views[i].data, views[i].size));
        }
        break;
    }
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* A union of which the first member, a struct without fields, is set. */
static void write_first(stoa_thrift_writer *writer, int16_t id) {
    stoa_thrift_begin_struct(writer, id);
    stoa_thrift_write_empty(writer, 1);
    stoa_thrift_end_struct(writer);
}

static stoa_status write_header(size_t bytes, stoa_buffer *out, stoa_error *err) {
    stoa_thrift_writer writer;
    stoa_thrift_writer_init(&writer, out, err);
    stoa_thrift_write_i32(&writer, 1, (int32_t)bytes);
    write_first(&writer, 2); /* split blocks */
    write_first(&writer, 3); /* XXH64 */
    write_first(&writer, 4); /* not compressed */
    return stoa_thrift_writer_finish(&writer);
}

stoa_status stoa_bloom_build(const stoa_leaf *leaf, const void *values, int64_t count, double rate,
                             size_t bytes_max, stoa_buffer *out, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_buffer blocks;
    stoa_buffer_init(&blocks, out->pool);
    size_t block_count = bytes_for(count, rate, bytes_max) / STOA_BLOOM_BLOCK_BYTES;
    STOA_CHECK(stoa_buffer_append_fill(&blocks, 0, block_count * STOA_BLOOM_BLOCK_BYTES, err));
    insert_values(leaf, values, count, blocks.data, block_count);
    while (block_count > 1 && rate_folded(blocks.data, block_count) <= rate) {
        fold(blocks.data, block_count);
        block_count /= 2;
    }
    STOA_CHECK(write_header(block_count * STOA_BLOOM_BLOCK_BYTES, out, err));
    STOA_CHECK(stoa_buffer_append(out, blocks.data, block_count * STOA_BLOOM_BLOCK_BYTES, err));

done:
    stoa_buffer_release(&blocks);
    return status;
}
