/* The first byte's lowest two bits say what a value is, the others depend on that. Objects and arrays
 * are: a count | ids of names (objects) | offsets, one more than values | the values. Offsets of an
 * object's values need not grow: how long such a value is, only its own first bytes say.
 *
 * Source   Apache Parquet format 2.12, "VariantEncoding.md" */
#include "parquet/variant.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

enum { KIND_PRIMITIVE = 0, KIND_SHORT_STRING = 1, KIND_OBJECT = 2, KIND_ARRAY = 3 };
enum { SHORT_STRING_MAX = 63, VERSION = 1, COUNT_SMALL_MAX = 255 };

/* Little-endian, of 1 to 4 bytes. */
static uint32_t load(const uint8_t *bytes, int width) {
    uint32_t value = 0;
    for (int i = 0; i < width; i++) {
        value |= (uint32_t)bytes[i] << (8 * i);
    }
    return value;
}

static void store(uint8_t *bytes, uint32_t value, int width) {
    for (int i = 0; i < width; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

static int width_of(uint32_t value) {
    return value <= 0xFF ? 1 : value <= 0xFFFF ? 2 : value <= 0xFFFFFF ? 3 : 4;
}

static stoa_status fail(const char *problem, stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT, "a variant: %s", problem);
}

/* ---- Metadata -------------------------------------------------------------------------------- */

stoa_status stoa_variant_metadata_parse(const uint8_t *bytes, size_t size,
                                        stoa_variant_metadata *out, stoa_error *err) {
    if (size == 0 || (bytes[0] & 0x0F) != VERSION) {
        return fail("expected metadata of version 1", err);
    }
    const int width = 1 + (bytes[0] >> 6);
    if (size < 1 + (size_t)width) {
        return fail("expected metadata with a dictionary", err);
    }
    const uint32_t count = load(bytes + 1, width);
    const size_t lists = 1 + (size_t)width * ((size_t)count + 2);
    if (lists > size) {
        return fail("its dictionary is longer than its metadata", err);
    }
    *out = (stoa_variant_metadata){.offsets = bytes + 1 + width,
                                   .texts = bytes + lists,
                                   .texts_size = size - lists,
                                   .count = count,
                                   .offset_bytes = width,
                                   .is_sorted = (bytes[0] & 0x10) != 0};
    return STOA_OK;
}

stoa_status stoa_variant_metadata_name(const stoa_variant_metadata *metadata, uint32_t id,
                                       const char **out_view, size_t *out_size, stoa_error *err) {
    const int width = metadata->offset_bytes;
    if (id >= metadata->count) {
        return fail("a field's name is not in its dictionary", err);
    }
    const uint32_t begin = load(metadata->offsets + (size_t)id * (size_t)width, width);
    const uint32_t end = load(metadata->offsets + ((size_t)id + 1) * (size_t)width, width);
    if (begin > end || end > metadata->texts_size) {
        return fail("a name is not within its dictionary", err);
    }
    *out_view = (const char *)metadata->texts + begin;
    *out_size = end - begin;
    return STOA_OK;
}

stoa_status stoa_variant_metadata_find(const stoa_variant_metadata *metadata, const char *name,
                                       size_t size, uint32_t *out_id, stoa_error *err) {
    const char *text;
    size_t text_size;
    uint32_t low = 0, high = metadata->count;
    while (metadata->is_sorted && low < high) {
        const uint32_t middle = low + (high - low) / 2;
        STOA_TRY(stoa_variant_metadata_name(metadata, middle, &text, &text_size, err));
        if (stoa_bytes_compare(text, text_size, name, size) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    /* Where names are sorted, the next one or none. */
    for (high = metadata->is_sorted && low < metadata->count ? low + 1 : metadata->count;
         low < high; low++) {
        STOA_TRY(stoa_variant_metadata_name(metadata, low, &text, &text_size, err));
        if (stoa_bytes_compare(text, text_size, name, size) == 0) {
            *out_id = low;
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_CORRUPT, "a variant: its dictionary lacks the name '%.*s'",
                     size > 64 ? 64 : (int)size, name);
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* Bytes behind the first; -1: none of the types. Binaries and strings: of their length. */
static int primitive_bytes(int type) {
    static const int8_t sizes[] = {0, 0, 0, 1, 2, 4, 8, 8, 5, 9, 17, 4, 8, 8, 4, 4, 4, 8, 8, 8, 16};
    return type < (int)sizeof sizes ? sizes[type] : -1;
}

bool stoa_variant_is_object(const uint8_t *bytes, size_t size) {
    return size > 0 && (bytes[0] & 3) == KIND_OBJECT;
}

stoa_status stoa_variant_container_parse(const uint8_t *bytes, size_t size,
                                         stoa_variant_container *out, stoa_error *err) {
    const int kind = size == 0 ? KIND_PRIMITIVE : bytes[0] & 3;
    if (kind != KIND_OBJECT && kind != KIND_ARRAY) {
        return fail("expected an object or an array", err);
    }
    const uint8_t head = bytes[0] >> 2;
    const bool is_large = (kind == KIND_OBJECT ? head >> 4 & 1 : head >> 2 & 1) != 0;
    const size_t count_bytes = is_large ? 4 : 1;
    *out = (stoa_variant_container){.offset_bytes = 1 + (head & 3),
                                    .id_bytes = kind == KIND_OBJECT ? 1 + (head >> 2 & 3) : 0};
    if (size < 1 + count_bytes) {
        return fail("it ends within its head", err);
    }
    out->count = load(bytes + 1, (int)count_bytes);
    const size_t ids = (size_t)out->count * (size_t)out->id_bytes;
    const size_t offsets = ((size_t)out->count + 1) * (size_t)out->offset_bytes;
    if (ids + offsets > size - 1 - count_bytes) {
        return fail("it has more parts than bytes", err);
    }
    out->ids = kind == KIND_OBJECT ? bytes + 1 + count_bytes : NULL;
    out->offsets = bytes + 1 + count_bytes + ids;
    out->values = out->offsets + offsets;
    out->values_size = load(out->values - out->offset_bytes, out->offset_bytes);
    if (out->values_size > size - (size_t)(out->values - bytes)) {
        return fail("its parts are longer than its bytes", err);
    }
    return STOA_OK;
}

uint32_t stoa_variant_container_id(const stoa_variant_container *container, uint32_t index) {
    return load(container->ids + (size_t)index * (size_t)container->id_bytes, container->id_bytes);
}

stoa_status stoa_variant_container_value(const stoa_variant_container *container, uint32_t index,
                                         const uint8_t **out_view, size_t *out_size,
                                         stoa_error *err) {
    const int width = container->offset_bytes;
    const uint32_t offset = load(container->offsets + (size_t)index * (size_t)width, width);
    if (offset > container->values_size) {
        return fail("a part is not within it", err);
    }
    *out_view = container->values + offset;
    return stoa_variant_value_size(*out_view, container->values_size - offset, out_size, err);
}

stoa_status stoa_variant_value_size(const uint8_t *bytes, size_t size, size_t *out_size,
                                    stoa_error *err) {
    if (size == 0) {
        return fail("expected a value", err);
    }
    const int head = bytes[0] >> 2;
    if ((bytes[0] & 3) == KIND_OBJECT || (bytes[0] & 3) == KIND_ARRAY) {
        stoa_variant_container container;
        STOA_TRY(stoa_variant_container_parse(bytes, size, &container, err));
        *out_size = (size_t)(container.values - bytes) + container.values_size;
        return STOA_OK;
    }
    const int fixed = (bytes[0] & 3) == KIND_SHORT_STRING ? head : primitive_bytes(head);
    if (fixed < 0) {
        return stoa_fail(err, STOA_CORRUPT, "a variant: type %d is none", head);
    }
    *out_size = 1 + (size_t)fixed;
    if (*out_size <= size && (bytes[0] & 3) == KIND_PRIMITIVE &&
        (head == STOA_VARIANT_BINARY || head == STOA_VARIANT_STRING)) {
        *out_size += stoa_load_u32(bytes + 1);
    }
    return *out_size <= size ? STOA_OK : fail("a value is longer than its bytes", err);
}

/* ---- Making ---------------------------------------------------------------------------------- */

stoa_status stoa_variant_append_string(stoa_buffer *out, const void *text, size_t size,
                                       stoa_error *err) {
    uint8_t head[5] = {(uint8_t)(size << 2 | KIND_SHORT_STRING)};
    size_t head_bytes = 1;
    if (size > SHORT_STRING_MAX) {
        head[0] = stoa_variant_head(STOA_VARIANT_STRING);
        stoa_store_u32(head + 1, (uint32_t)size);
        head_bytes = sizeof head;
    }
    STOA_TRY(stoa_buffer_append(out, head, head_bytes, err));
    return stoa_buffer_append(out, text, size, err);
}

static int compare_parts(const void *left, const void *right) {
    const stoa_variant_part *a = left, *b = right;
    return stoa_bytes_compare(a->name, a->name_size, b->name, b->name_size);
}

static stoa_status sort_parts(stoa_variant_part *parts, uint32_t count, uint32_t *id_max,
                              stoa_error *err) {
    if (count > 1) {
        qsort(parts, count, sizeof *parts, compare_parts);
    }
    for (uint32_t i = 0; i < count; i++) {
        *id_max = parts[i].id > *id_max ? parts[i].id : *id_max;
        if (i > 0 && compare_parts(&parts[i - 1], &parts[i]) == 0) {
            return fail("an object has a field twice", err);
        }
    }
    return STOA_OK;
}

stoa_status stoa_variant_wrap(stoa_buffer *out, size_t begin, bool is_object,
                              stoa_variant_part *parts, uint32_t count, stoa_error *err) {
    const size_t values = out->size - begin;
    uint32_t id_max = 0;
    if (values > UINT32_MAX) {
        return stoa_fail(err, STOA_LIMIT, "a variant of more than 4 GiB");
    }
    if (is_object) {
        STOA_TRY(sort_parts(parts, count, &id_max, err));
    }
    const int id_bytes = is_object ? width_of(id_max) : 0,
              offset_bytes = width_of((uint32_t)values);
    const bool is_large = count > COUNT_SMALL_MAX;
    const size_t ids = (size_t)count * (size_t)id_bytes;
    const size_t head = 1 + (is_large ? 4U : 1U) + ids + ((size_t)count + 1) * (size_t)offset_bytes;
    STOA_TRY(stoa_buffer_reserve(out, head, err));
    uint8_t *at = out->data + begin;
    if (values > 0) {
        memmove(at + head, at, values);
    }
    out->size += head;
    at[0] = (uint8_t)(is_object ? (offset_bytes - 1) << 2 | (id_bytes - 1) << 4 | is_large << 6 |
                                      KIND_OBJECT
                                : (offset_bytes - 1) << 2 | is_large << 4 | KIND_ARRAY);
    store(at + 1, count, is_large ? 4 : 1);
    uint8_t *id = at + 1 + (is_large ? 4 : 1), *offset = id + ids;
    for (uint32_t i = 0; i < count; i++) {
        store(id + (size_t)i * (size_t)id_bytes, parts[i].id, id_bytes);
        store(offset + (size_t)i * (size_t)offset_bytes, parts[i].offset, offset_bytes);
    }
    store(offset + (size_t)count * (size_t)offset_bytes, (uint32_t)values, offset_bytes);
    return STOA_OK;
}
