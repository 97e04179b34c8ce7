/* Decodes the body of one page for the oracle test, from standard input to standard output, as PLAIN
 * values (booleans and levels a byte each).   usage: tool_codec_decode WHAT WIDTH COUNT
 *
 *     WHAT                        WIDTH
 *     delta, streams, delta_fixed bytes of a value
 *     delta_lengths, delta_bytes  0
 *     levels, bools               bits of a value; bools and levels stand behind their length
 *     dictionary                  bytes of a value, 0 for byte arrays; the input is the dictionary
 *                                 page's size in four bytes, that page, the data page
 *     snappy, gzip, …             0; COUNT is the uncompressed size
 *
 * Values are taken 97 at a time, so that calls end inside groups and miniblocks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/byte_stream_split.h"
#include "codec/compress.h"
#include "codec/delta_bytes.h"
#include "codec/dictionary_decoder.h"
#include "codec/plain.h"

enum { STEP = 97 };

static stoa_error err = STOA_ERROR_NONE;

static void must(stoa_status status) {
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
}

static void put(const void *bytes, size_t size) {
    if (fwrite(bytes, 1, size, stdout) != size) {
        exit(1);
    }
}

static void put_views(const stoa_bytes_view *views, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const uint32_t size = (uint32_t)views[i].size;
        put(&size, sizeof size);
        put(views[i].data, size);
    }
}

static size_t next(size_t *left) {
    const size_t now = *left < STEP ? *left : STEP;
    *left -= now;
    return now;
}

static void decode_delta(const stoa_buffer *in, int width, size_t left) {
    stoa_delta_decoder decoder;
    int64_t values[STEP];
    must(stoa_delta_decoder_init(&decoder, in->data, in->size, width, &err));
    for (size_t now; (now = next(&left)) > 0;) {
        must(width == 8 ? stoa_delta_decoder_read_i64(&decoder, values, now, &err)
                        : stoa_delta_decoder_read_i32(&decoder, (int32_t *)values, now, &err));
        put(values, now * (size_t)width);
    }
}

static void decode_streams(const stoa_buffer *in, size_t width, size_t left) {
    stoa_byte_stream_split decoder;
    uint8_t *values = malloc(STEP * width);
    must(stoa_byte_stream_split_init(&decoder, in->data, in->size, width, &err));
    for (size_t now; (now = next(&left)) > 0;) {
        must(stoa_byte_stream_split_read(&decoder, values, now, &err));
        put(values, now * width);
    }
    free(values);
}

static void decode_lengths(const stoa_buffer *in, size_t left) {
    stoa_delta_lengths_decoder decoder;
    stoa_bytes_view views[STEP];
    must(stoa_delta_lengths_decoder_init(&decoder, in->data, in->size, &err));
    for (size_t now; (now = next(&left)) > 0;) {
        must(stoa_delta_lengths_decoder_read(&decoder, views, now, &err));
        put_views(views, now);
    }
}

static void decode_prefixes(stoa_pool *pool, const stoa_buffer *in, size_t width, size_t left) {
    enum { ROOM = 1 << 20 };
    stoa_delta_bytes_decoder decoder;
    stoa_bytes_view views[STEP];
    uint8_t *data = malloc(ROOM);
    must(stoa_delta_bytes_decoder_init(&decoder, pool, in->data, in->size, &err));
    for (size_t now; (now = next(&left)) > 0;) {
        size_t done = now;
        if (width > 0) {
            must(stoa_delta_bytes_decoder_read_fixed(&decoder, width, data, now, &err));
            put(data, now * width);
        } else {
            must(stoa_delta_bytes_decoder_read(&decoder, views, now, data, ROOM, &done, &err));
            put_views(views, done);
        }
        left += now - done;
    }
    stoa_delta_bytes_decoder_release(&decoder);
    free(data);
}

static void decode_hybrid(const stoa_buffer *in, int width, size_t left) {
    stoa_rle_decoder decoder;
    uint8_t values[STEP];
    must(stoa_rle_decoder_init_sized(&decoder, in->data, in->size, width, NULL, &err));
    for (size_t now; (now = next(&left)) > 0;) {
        must(stoa_rle_decoder_read_u8(&decoder, values, now, &err));
        put(values, now);
    }
}

static void decode_dictionary(const stoa_buffer *in, size_t width, size_t left) {
    const size_t page = stoa_load_u32(in->data);
    const uint8_t *data = in->data + 4 + page;
    const size_t size = in->size - 4 - page;
    stoa_byte_reader reader = stoa_byte_reader_of(in->data + 4, page);
    stoa_bytes_view *entries = malloc((page / 4 + 1) * sizeof *entries);
    const uint8_t *fixed = NULL;
    size_t count = width > 0 ? page / width : 0;
    if (width > 0) {
        must(stoa_plain_take_fixed(&reader, width, count, &fixed, &err));
    }
    while (width == 0 && stoa_byte_reader_left(&reader) > 0) {
        must(stoa_plain_read_bytes(&reader, &entries[count++], 1, &err));
    }
    stoa_dictionary_decoder decoder;
    stoa_bytes_view views[STEP];
    uint32_t codes[STEP];
    uint8_t *values = malloc(STEP * (width + 1));
    must(stoa_dictionary_decoder_init(&decoder, data, size, (uint32_t)count, &err));
    for (size_t now; (now = next(&left)) > 0;) {
        if (width > 0) {
            must(stoa_dictionary_decoder_read_fixed(&decoder, fixed, width, values, now, &err));
            put(values, now * width);
        } else {
            must(stoa_dictionary_decoder_read_codes(&decoder, codes, now, &err));
            for (size_t i = 0; i < now; i++) {
                views[i] = entries[codes[i]];
            }
            put_views(views, now);
        }
    }
    free(values);
    free(entries);
}

static void decompress(stoa_pool *pool, const char *name, const stoa_buffer *in, size_t size) {
    stoa_compression compression;
    stoa_codec *codec = NULL;
    uint8_t *out = malloc(size + 1);
    must(stoa_compression_parse(name, &compression, &err));
    must(stoa_codec_create(pool, compression, 0, &codec, &err));
    must(stoa_codec_decompress(codec, in->data, in->size, out, size, &err));
    put(out, size);
    stoa_codec_close(codec);
    free(out);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        return 2;
    }
    const char *what = argv[1];
    const size_t width = strtoul(argv[2], NULL, 10);
    const size_t count = strtoul(argv[3], NULL, 10);
    stoa_pool *pool = NULL;
    stoa_buffer in;
    must(stoa_pool_create(0, NULL, &pool, &err));
    stoa_buffer_init(&in, pool);
    do {
        must(stoa_buffer_reserve(&in, 1 << 16, &err));
        in.size += fread(in.data + in.size, 1, 1 << 16, stdin);
    } while (!feof(stdin) && !ferror(stdin));
    if (strcmp(what, "delta") == 0) {
        decode_delta(&in, (int)width, count);
    } else if (strcmp(what, "streams") == 0) {
        decode_streams(&in, width, count);
    } else if (strcmp(what, "delta_lengths") == 0) {
        decode_lengths(&in, count);
    } else if (strcmp(what, "delta_bytes") == 0 || strcmp(what, "delta_fixed") == 0) {
        decode_prefixes(pool, &in, width, count);
    } else if (strcmp(what, "levels") == 0 || strcmp(what, "bools") == 0) {
        decode_hybrid(&in, (int)width, count);
    } else if (strcmp(what, "dictionary") == 0) {
        decode_dictionary(&in, width, count);
    } else {
        decompress(pool, what, &in, count);
    }
    stoa_buffer_release(&in);
    stoa_pool_close(pool);
    return fflush(stdout) == 0 ? 0 : 1;
}
