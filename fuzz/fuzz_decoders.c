/* Every decoder of page bodies over any bytes: the first byte chooses it, the second a width, the third
 * how the values are split into calls. Whatever the split, values and verdict are the same; nothing is
 * read outside the bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/bitpacked_levels.h"
#include "codec/byte_stream_split.h"
#include "codec/compress.h"
#include "codec/delta_bytes.h"
#include "codec/dictionary_decoder.h"
#include "codec/plain.h"

enum { COUNT = 700, VALUE_MAX = 40, DATA_BYTES = 1 << 16, ENTRIES = 19, HEAD = 3 };

struct input {
    const uint8_t *bytes;
    size_t size;
    int width;
    size_t step;  /* values in a call */
    size_t limit; /* values in all */
    stoa_pool *pool;
};

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

/* Values as they come out, one behind the other. */
struct output {
    size_t size;
    size_t done; /* values */
    uint8_t bytes[COUNT * VALUE_MAX];
};

static size_t next_step(const struct input *input, const struct output *output) {
    const size_t left = input->limit - output->done;
    return left < input->step ? left : input->step;
}

static void took(struct output *output, size_t count, size_t value_bytes) {
    output->done += count;
    output->size += count * value_bytes;
}

/* Views are summed up by length and bytes, so that all of them are touched. */
static void took_views(struct output *output, const stoa_bytes_view *views, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t sum = views[i].size;
        for (size_t b = 0; b < views[i].size; b++) {
            sum = sum * 31 + views[i].data[b];
        }
        memcpy(output->bytes + output->size, &sum, sizeof sum);
        took(output, 1, sizeof sum);
    }
}

static void run_hybrid(const struct input *input, struct output *output) {
    stoa_rle_decoder decoder;
    if (stoa_rle_decoder_init(&decoder, input->bytes, input->size, input->width % 34, NULL)) {
        return;
    }
    for (size_t step; (step = next_step(input, output)) > 0; took(output, step, 4)) {
        uint32_t values[COUNT];
        if (stoa_rle_decoder_read_u32(&decoder, values, step, NULL) != STOA_OK) {
            return;
        }
        memcpy(output->bytes + output->size, values, step * 4);
    }
}

static void run_bits(const struct input *input, struct output *output) {
    stoa_rle_decoder decoder;
    if (stoa_rle_decoder_init_sized(&decoder, input->bytes, input->size, 1, NULL, NULL)) {
        return;
    }
    for (size_t step; (step = next_step(input, output)) > 0; took(output, step, 1)) {
        uint8_t bits[(COUNT + 7) / 8] = {0};
        if (stoa_rle_decoder_read_bits(&decoder, bits, 0, step, NULL, NULL) != STOA_OK) {
            return;
        }
        for (size_t i = 0; i < step; i++) {
            output->bytes[output->size + i] = bits[i / 8] >> (i % 8) & 1;
        }
    }
}

static void run_dictionary(const struct input *input, struct output *output) {
    uint8_t entries[ENTRIES * VALUE_MAX];
    const size_t value_bytes = 1 + (size_t)input->width % VALUE_MAX;
    stoa_dictionary_decoder decoder;
    memset(entries, 7, sizeof entries);
    if (stoa_dictionary_decoder_init(&decoder, input->bytes, input->size, ENTRIES, NULL)) {
        return;
    }
    for (size_t step; (step = next_step(input, output)) > 0; took(output, step, value_bytes)) {
        if (stoa_dictionary_decoder_read_fixed(&decoder, entries, value_bytes,
                                               output->bytes + output->size, step, NULL)) {
            return;
        }
    }
}

static void run_deltas(const struct input *input, struct output *output) {
    const int value_bytes = input->width & 1 ? 8 : 4;
    stoa_delta_decoder decoder;
    size_t end = 0;
    if (stoa_delta_decoder_init(&decoder, input->bytes, input->size, value_bytes, NULL)) {
        return;
    }
    if (stoa_delta_decoder_end(&decoder, &end, NULL) == STOA_OK) {
        require(end <= input->size);
    }
    for (size_t step; (step = next_step(input, output)) > 0;
         took(output, step, (size_t)value_bytes)) {
        int64_t values[COUNT];
        const stoa_status status = value_bytes == 8
                                       ? stoa_delta_decoder_read_i64(&decoder, values, step, NULL)
                                       : stoa_delta_decoder_read_i32(&decoder, (int32_t *)values,
                                                                     step, NULL);
        if (status != STOA_OK) {
            return;
        }
        memcpy(output->bytes + output->size, values, step * (size_t)value_bytes);
    }
}

static void run_lengths(const struct input *input, struct output *output) {
    stoa_delta_lengths_decoder decoder;
    if (stoa_delta_lengths_decoder_init(&decoder, input->bytes, input->size, NULL)) {
        return;
    }
    for (size_t step; (step = next_step(input, output)) > 0;) {
        stoa_bytes_view views[COUNT];
        if (stoa_delta_lengths_decoder_read(&decoder, views, step, NULL) != STOA_OK) {
            return;
        }
        took_views(output, views, step);
    }
}

static void run_prefixes(const struct input *input, struct output *output) {
    uint8_t *data = malloc(DATA_BYTES);
    stoa_delta_bytes_decoder decoder = {0};
    require(data != NULL);
    if (stoa_delta_bytes_decoder_init(&decoder, input->pool, input->bytes, input->size, NULL) ==
        STOA_OK) {
        for (size_t step; (step = next_step(input, output)) > 0;) {
            stoa_bytes_view views[COUNT];
            size_t done = 0;
            if (stoa_delta_bytes_decoder_read(&decoder, views, step, data, DATA_BYTES, &done,
                                              NULL) != STOA_OK ||
                done == 0) {
                break;
            }
            took_views(output, views, done);
        }
    }
    stoa_delta_bytes_decoder_release(&decoder);
    free(data);
}

static void run_plain(const struct input *input, struct output *output) {
    stoa_byte_reader reader = stoa_byte_reader_of(input->bytes, input->size);
    for (size_t step; (step = next_step(input, output)) > 0;) {
        stoa_bytes_view views[COUNT];
        if (stoa_plain_read_bytes(&reader, views, step, NULL) != STOA_OK) {
            return;
        }
        took_views(output, views, step);
    }
}

static void run_streams(const struct input *input, struct output *output) {
    const size_t value_bytes = 1 + (size_t)input->width % VALUE_MAX;
    stoa_byte_stream_split decoder;
    if (stoa_byte_stream_split_init(&decoder, input->bytes, input->size, value_bytes, NULL)) {
        return;
    }
    for (size_t step; (step = next_step(input, output)) > 0; took(output, step, value_bytes)) {
        if (stoa_byte_stream_split_read(&decoder, output->bytes + output->size, step, NULL)) {
            return;
        }
    }
}

static void run_old_levels(const struct input *input, struct output *output) {
    stoa_bitpacked_levels levels;
    size_t used = 0;
    if (stoa_bitpacked_levels_init(&levels, input->bytes, input->size, input->width % 9, COUNT,
                                   &used, NULL)) {
        return;
    }
    for (size_t step; (step = next_step(input, output)) > 0; took(output, step, 1)) {
        if (stoa_bitpacked_levels_read_u8(&levels, output->bytes + output->size, step, NULL)) {
            return;
        }
    }
}

/* Compressed pages; the width says what they should become. */
static void run_codec(const struct input *input, struct output *output) {
    static const stoa_compression kinds[] = {STOA_COMPRESSION_SNAPPY,     STOA_COMPRESSION_GZIP,
                                             STOA_COMPRESSION_ZSTD,       STOA_COMPRESSION_LZ4_RAW,
                                             STOA_COMPRESSION_LZ4_HADOOP, STOA_COMPRESSION_BROTLI};
    const size_t expected = (size_t)input->width * 16;
    stoa_codec *codec = NULL;
    if (stoa_codec_create(input->pool, kinds[input->step % 6], 0, &codec, NULL) != STOA_OK) {
        abort();
    }
    if (stoa_codec_decompress(codec, input->bytes, input->size, output->bytes, expected, NULL) ==
        STOA_OK) {
        output->size = expected;
    }
    stoa_codec_close(codec);
}

typedef void (*decoder_run)(const struct input *input, struct output *output);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const decoder_run runs[] = {run_hybrid,     run_bits,     run_dictionary, run_deltas,
                                       run_lengths,    run_prefixes, run_plain,      run_streams,
                                       run_old_levels, run_codec};
    if (size < HEAD) {
        return 0;
    }
    const size_t which = data[0] % (sizeof runs / sizeof runs[0]);
    uint8_t *exact = malloc(size - HEAD + 1);
    struct output *parts = calloc(1, sizeof *parts), *whole = calloc(1, sizeof *whole);
    struct input input = {.bytes = exact + 1, .size = size - HEAD, .width = data[1]};
    require(exact != NULL && parts != NULL && whole != NULL);
    memcpy(exact + 1, data + HEAD, size - HEAD); /* ends where its memory ends */
    if (stoa_pool_create((size_t)64 << 20, NULL, &input.pool, NULL) != STOA_OK) {
        abort();
    }
    input.step = 1 + data[2];
    input.limit = COUNT;
    runs[which](&input, parts);
    if (runs[which] != run_codec) {
        /* A call gives all its values or none; those of all good calls are there in one as well. */
        input.step = parts->done > 0 ? parts->done : 1;
        input.limit = parts->done;
        runs[which](&input, whole);
        require(whole->done == parts->done && whole->size == parts->size);
        require(memcmp(whole->bytes, parts->bytes, parts->size) == 0);
    }
    require(stoa_pool_used(input.pool) == 0);
    stoa_pool_close(input.pool);
    free(exact);
    free(parts);
    free(whole);
    return 0;
}
