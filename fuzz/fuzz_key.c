/* Any bytes as a key: the first says how many columns it has, one for each says which; the rest is the key.
 * What decodes encodes again, to bytes that decode to the same: mostly to those that were given. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/owner.h"
#include "base/bytes.h"
#include "lsm/key.h"

enum { PARTS_MAX = 4, SCHEMA_BYTES = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const types[] = {
    "boolean",        "int8",     "int16",           "int",      "long",    "uint8",
    "uint16",         "uint32",   "uint64",          "float",    "double",  "decimal(9, 2)",
    "decimal(18, 4)", "date",     "decimal(38, 10)", "time",     "time_ms", "timestamptz",
    "string",         "duration", "binary",          "fixed[3]", "uuid",    "fixed[300]",
};
enum { TYPE_COUNT = sizeof types / sizeof *types };

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

/* The format that the first bytes tell; returns how many they are. */
static size_t make_format(stoa_pool *pool, const uint8_t *data, const stoa_schema **schema,
                          stoa_key_format *out) {
    stoa_key_column columns[PARTS_MAX];
    char text[SCHEMA_BYTES] = "";
    const int32_t count = 1 + data[0] % PARTS_MAX;
    for (int32_t i = 0; i < count; i++) {
        const uint8_t code = data[1 + i];
        const size_t length = strlen(text);
        (void)snprintf(text + length, sizeof text - length, "%sc%d %s not null", i > 0 ? ", " : "",
                       (int)i, types[code % TYPE_COUNT]);
        columns[i] = (stoa_key_column){i + 1, code >= 128};
    }
    require(stoa_schema_parse(pool, text, schema, NULL) == STOA_OK);
    require(stoa_key_format_init(out, *schema, columns, count, NULL) == STOA_OK);
    return 1 + (size_t)count;
}

static stoa_status decode(const stoa_key_format *format, stoa_pool *pool, const uint8_t *bytes,
                          size_t size, struct ArrowArray *arrays, stoa_error *err) {
    const uint32_t offsets[] = {0, (uint32_t)size};
    uint64_t number = 0;
    for (size_t i = 0; format->is_number && i < size; i++) {
        number = number << 8 | bytes[i];
    }
    const stoa_keys_view view = {1, &number, bytes, offsets};
    return stoa_keys_decode(format, pool, &view, arrays, err);
}

static void release_all(const stoa_key_format *format, struct ArrowArray *arrays) {
    for (int32_t i = 0; i < format->part_count; i++) {
        stoa_arrow_array_release(&arrays[i]);
    }
}

static void encode(const stoa_key_format *format, struct ArrowArray *arrays, stoa_keys *out) {
    struct ArrowArray *children[PARTS_MAX];
    for (int32_t i = 0; i < format->part_count; i++) {
        children[i] = &arrays[i];
    }
    const struct ArrowArray batch = {.length = 1,
                                     .n_children = format->part_count,
                                     .children = children};
    require(stoa_keys_append(format, &batch, 0, 1, out, NULL) == STOA_OK);
}

/* Encodes what was decoded, decodes that and encodes it again: nothing changes any more. */
static void check_again(const stoa_key_format *format, stoa_pool *pool, struct ArrowArray *arrays) {
    struct ArrowArray second[PARTS_MAX] = {{0}};
    uint8_t left_number[8], right_number[8];
    size_t left_size, right_size;
    stoa_keys left, right;
    stoa_keys_init(&left, pool);
    stoa_keys_init(&right, pool);
    encode(format, arrays, &left);
    const stoa_keys_view left_view = stoa_keys_view_of(&left);
    const uint8_t *bytes = stoa_keys_bytes(format, &left_view, 0, left_number, &left_size);
    require(decode(format, pool, bytes, left_size, second, NULL) == STOA_OK);
    encode(format, second, &right);
    const stoa_keys_view right_view = stoa_keys_view_of(&right);
    const uint8_t *again = stoa_keys_bytes(format, &right_view, 0, right_number, &right_size);
    require(left_size == right_size && memcmp(bytes, again, left_size) == 0);
    require(stoa_keys_compare(format, &left_view, 0, &right_view, 0) == 0);
    release_all(format, second);
    stoa_keys_release(&left);
    stoa_keys_release(&right);
}

static void check_key(const stoa_key_format *format, stoa_pool *pool, const uint8_t *bytes,
                      size_t size) {
    struct ArrowArray arrays[PARTS_MAX] = {{0}};
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer text;
    if (format->is_number && size != (size_t)format->fixed_bytes) {
        return; /* numbers are of their width wherever they are read */
    }
    const stoa_status status = decode(format, pool, bytes, size, arrays, &err);
    stoa_buffer_init(&text, pool);
    const stoa_status printed = stoa_key_print(format, pool, bytes, size, &text, NULL);
    require((status == STOA_OK) == (printed == STOA_OK));
    stoa_buffer_release(&text);
    if (status == STOA_OK) {
        check_again(format, pool, arrays);
    } else {
        require(status == STOA_CORRUPT && err.message[0] != '\0');
    }
    release_all(format, arrays);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_pool *pool = NULL;
    const stoa_schema *schema = NULL;
    stoa_key_format format;
    if (size < 1 + PARTS_MAX || size > STOA_KEY_BYTES_MAX) {
        return 0;
    }
    require(stoa_pool_create(64 << 20, NULL, &pool, NULL) == STOA_OK);
    const size_t head = make_format(pool, data, &schema, &format);
    check_key(&format, pool, data + head, size - head);
    stoa_schema_close(schema);
    require(stoa_pool_used(pool) == 0);
    stoa_pool_close(pool);
    return 0;
}
