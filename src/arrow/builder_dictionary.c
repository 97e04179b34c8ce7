/* Dictionaries while they are built: equal values get one index.
 *
 * A value is first appended to the dictionary's values like any other; then its bytes are looked up
 * in a hash table (open addressing, linear probing, at most half full) and, where an equal value
 * stands there already, the new one is taken away again. Floats are equal bit for bit. Nested values
 * are not looked up: each gets an index of its own, which the format allows. */
#include <string.h>

#include "arrow/access.h"
#include "arrow/builder_internal.h"
#include "base/hash.h"

stoa_status builder_dictionary_create(stoa_builder *builder, stoa_error *err) {
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(builder->pool, 1, sizeof(struct builder_dictionary), &memory,
                                      err));
    builder->dictionary = memory;
    stoa_buffer_init(&builder->dictionary->hashes, builder->pool);
    stoa_buffer_init(&builder->dictionary->slots, builder->pool);
    return STOA_OK;
}

void builder_dictionary_close(stoa_builder *builder) {
    struct builder_dictionary *dictionary = builder->dictionary;
    if (dictionary == NULL) {
        return;
    }
    stoa_builder_close(dictionary->values);
    stoa_buffer_release(&dictionary->hashes);
    stoa_buffer_release(&dictionary->slots);
    stoa_pool_free(builder->pool, dictionary, sizeof *dictionary);
}

void builder_dictionary_clear(stoa_builder *builder) {
    stoa_buffer_clear(&builder->dictionary->hashes);
    stoa_buffer_clear(&builder->dictionary->slots);
    builder->dictionary->slot_count = 0;
}

struct view {
    const void *bytes;
    size_t size;
};

/* The bytes of value `row`; a boolean's is `*scratch`. False for values that are not looked up. */
static bool value_bytes(const stoa_builder *values, int64_t row, uint8_t *scratch,
                        struct view *out) {
    const uint8_t *data = values->values.data;
    switch (values->storage) {
    case STORAGE_BITS:
        *scratch = stoa_bit_get(data, row);
        *out = (struct view){scratch, 1};
        return true;
    case STORAGE_FIXED: {
        size_t width = (size_t)values->layout.byte_width;
        *out = (struct view){data + (size_t)row * width, width};
        return true;
    }
    case STORAGE_BYTES: {
        const uint8_t *offsets = values->offsets.data;
        bool wide = builder_is_wide(values);
        int64_t begin = wide ? stoa_load_i64(offsets + row * 8) : stoa_load_i32(offsets + row * 4);
        int64_t end = wide ? stoa_load_i64(offsets + row * 8 + 8)
                           : stoa_load_i32(offsets + row * 4 + 4);
        *out = (struct view){data + begin, (size_t)(end - begin)};
        return true;
    }
    case STORAGE_VIEWS: {
        const uint8_t *view = data + row * 16;
        size_t size = (size_t)stoa_load_i32(view);
        const uint8_t *at = size <= 12 ? view + 4 : values->offsets.data + stoa_load_i32(view + 12);
        *out = (struct view){at, size};
        return true;
    }
    default:
        return false;
    }
}

static bool values_equal(const stoa_builder *values, int64_t left, int64_t right) {
    struct view a;
    struct view b;
    uint8_t scratch_a;
    uint8_t scratch_b;
    (void)value_bytes(values, left, &scratch_a, &a);
    (void)value_bytes(values, right, &scratch_b, &b);
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

static void slots_insert(struct builder_dictionary *dictionary, uint64_t hash, int64_t index) {
    int64_t *slots = (int64_t *)(void *)dictionary->slots.data;
    int64_t mask = dictionary->slot_count - 1;
    int64_t at = (int64_t)hash & mask;
    while (slots[at] != 0) {
        at = (at + 1) & mask;
    }
    slots[at] = index + 1;
}

/* Makes room for one more value at no more than half full. */
static stoa_status slots_grow(struct builder_dictionary *dictionary, stoa_error *err) {
    int64_t count = (int64_t)(dictionary->hashes.size / sizeof(uint64_t));
    if (dictionary->slot_count >= (count + 1) * 2) {
        return STOA_OK;
    }
    int64_t wanted = dictionary->slot_count == 0 ? 64 : dictionary->slot_count * 2;
    stoa_buffer slots;
    stoa_buffer_init(&slots, dictionary->slots.pool);
    STOA_TRY(stoa_buffer_append_fill(&slots, 0, (size_t)wanted * sizeof(int64_t), err));
    stoa_buffer_release(&dictionary->slots);
    dictionary->slots = slots;
    dictionary->slot_count = wanted;
    const uint64_t *hashes = (const uint64_t *)(const void *)dictionary->hashes.data;
    for (int64_t i = 0; i < count; i++) {
        slots_insert(dictionary, hashes[i], i);
    }
    return STOA_OK;
}

/* An equal value before `row`, or -1. */
static int64_t slots_find(const struct builder_dictionary *dictionary, uint64_t hash, int64_t row) {
    const int64_t *slots = (const int64_t *)(const void *)dictionary->slots.data;
    const uint64_t *hashes = (const uint64_t *)(const void *)dictionary->hashes.data;
    int64_t mask = dictionary->slot_count - 1;
    for (int64_t at = (int64_t)hash & mask; slots[at] != 0; at = (at + 1) & mask) {
        int64_t index = slots[at] - 1;
        if (hashes[index] == hash && values_equal(dictionary->values, index, row)) {
            return index;
        }
    }
    return -1;
}

/* Takes the last value away. Values of a dictionary have no nulls. */
static void pop_last(stoa_builder *values) {
    if (values->storage == STORAGE_VIEWS) {
        const uint8_t *view = values->values.data + (values->length - 1) * 16;
        if (stoa_load_i32(view) > 12) {
            values->offsets.size = (size_t)stoa_load_i32(view + 12);
        }
    }
    values->length--;
    builder_trim(values);
    if (values->storage == STORAGE_BYTES) {
        values->offsets.size -= (size_t)stoa_arrow_offset_bytes(values->layout.kind);
    }
}

static int64_t index_max(const stoa_arrow_layout *layout) {
    int bits = layout->byte_width * 8;
    bool is_signed = layout->kind == STOA_ARROW_INT8 || layout->kind == STOA_ARROW_INT16 ||
                     layout->kind == STOA_ARROW_INT32 || layout->kind == STOA_ARROW_INT64;
    return bits == 64 ? INT64_MAX : (INT64_C(1) << (is_signed ? bits - 1 : bits)) - 1;
}

stoa_status builder_dictionary_put_index(stoa_builder *builder, int64_t index, stoa_error *err) {
    if (index > index_max(&builder->layout)) {
        return stoa_fail(err, STOA_LIMIT,
                         "dictionary '%s': indices of type %s hold at most %" PRId64 " values",
                         builder_name(builder), stoa_arrow_kind_name(builder->layout.kind),
                         index_max(&builder->layout) + 1);
    }
    STOA_TRY(builder_put_validity(builder, 1, true, err));
    builder_trim(builder);
    STOA_TRY(stoa_buffer_append(&builder->values, &index, (size_t)builder->layout.byte_width, err));
    builder_commit(builder, 1, 0);
    return STOA_OK;
}

/* The index of the last value, after taking it away when it is not new. */
static stoa_status intern_last(struct builder_dictionary *dictionary, int64_t *out,
                               stoa_error *err) {
    stoa_builder *values = dictionary->values;
    int64_t row = values->length - 1;
    uint8_t scratch;
    struct view view;
    *out = row;
    if (!value_bytes(values, row, &scratch, &view)) {
        return STOA_OK;
    }
    stoa_status status = slots_grow(dictionary, err);
    if (status == STOA_OK) {
        uint64_t hash = stoa_hash64(view.bytes, view.size);
        *out = slots_find(dictionary, hash, row);
        if (*out < 0) {
            *out = row;
            status = stoa_buffer_append(&dictionary->hashes, &hash, sizeof hash, err);
            if (status == STOA_OK) {
                slots_insert(dictionary, hash, row);
            }
        }
    }
    /* A value without a hash would shift all later ones, so it must go on failure too. */
    if (status != STOA_OK || *out != row) {
        pop_last(values);
    }
    return status;
}

stoa_status builder_dictionary_intern(stoa_builder *builder, stoa_error *err) {
    int64_t index;
    STOA_TRY(intern_last(builder->dictionary, &index, err));
    return builder_dictionary_put_index(builder, index, err);
}

enum { MEMO_UNKNOWN = -2, MEMO_NULL = -1 };

/* Our index for value `key` of the source's dictionary, remembered in `*memo`. */
static stoa_status translate(stoa_builder *builder, const struct ArrowArray *values, int64_t key,
                             int64_t *memo, stoa_error *err) {
    if (*memo != MEMO_UNKNOWN) {
        return STOA_OK;
    }
    struct builder_dictionary *dictionary = builder->dictionary;
    bool null = dictionary->values->storage == STORAGE_NONE ||
                !stoa_arrow_valid_at(values, values->offset + key);
    if (null) {
        *memo = MEMO_NULL;
        return STOA_OK;
    }
    STOA_TRY(stoa_builder_append_array(dictionary->values, values, key, 1, err));
    if (dictionary->values->null_count > 0) { /* a null of a dictionary inside this one */
        pop_last(dictionary->values);
        dictionary->values->null_count = 0;
        *memo = MEMO_NULL;
        return STOA_OK;
    }
    return intern_last(dictionary, memo, err);
}

static stoa_status append_encoded(stoa_builder *builder, const struct ArrowArray *source,
                                  const int64_t *indices, int64_t offset, int64_t count,
                                  int64_t *memo, stoa_error *err) {
    int64_t size = source->dictionary->length;
    for (int64_t i = 0; i < count; i++) {
        int64_t row = source->offset + (indices == NULL ? offset + i : indices[i]);
        if ((indices != NULL && indices[i] < 0) || !stoa_arrow_valid_at(source, row)) {
            STOA_TRY(stoa_builder_append_null(builder, err));
            continue;
        }
        int64_t key = stoa_arrow_integer_at(builder->layout.kind, source->buffers[1], row);
        if (key < 0 || key >= size) {
            return stoa_fail(err, STOA_INVALID,
                             "dictionary '%s': expected indices below %" PRId64 " but found "
                             "%" PRId64, builder_name(builder), size, key);
        }
        STOA_TRY(translate(builder, source->dictionary, key, &memo[key], err));
        STOA_TRY(memo[key] == MEMO_NULL
                     ? stoa_builder_append_null(builder, err)
                     : builder_dictionary_put_index(builder, memo[key], err));
    }
    return STOA_OK;
}

static stoa_status append_plain(stoa_builder *builder, const struct ArrowArray *source,
                                const int64_t *indices, int64_t offset, int64_t count,
                                stoa_error *err) {
    for (int64_t i = 0; i < count; i++) {
        int64_t row = indices == NULL ? offset + i : indices[i];
        if (row < 0 || source->n_buffers == 0 || !stoa_arrow_valid_at(source, source->offset + row)) {
            STOA_TRY(stoa_builder_append_null(builder, err));
            continue;
        }
        STOA_TRY(stoa_builder_append_array(builder->dictionary->values, source, row, 1, err));
        STOA_TRY(builder_dictionary_intern(builder, err));
    }
    return STOA_OK;
}

stoa_status builder_dictionary_append(stoa_builder *builder, const struct ArrowArray *source,
                                      const int64_t *indices, int64_t offset, int64_t count,
                                      stoa_error *err) {
    if (source->dictionary == NULL) {
        return append_plain(builder, source, indices, offset, count, err);
    }
    void *memory;
    size_t size = (size_t)source->dictionary->length;
    STOA_TRY(stoa_pool_allocate_array(builder->pool, size, sizeof(int64_t), &memory, err));
    int64_t *memo = memory;
    for (size_t i = 0; i < size; i++) {
        memo[i] = MEMO_UNKNOWN;
    }
    stoa_status status = append_encoded(builder, source, indices, offset, count, memo, err);
    stoa_pool_free(builder->pool, memory, size * sizeof(int64_t));
    return status;
}
