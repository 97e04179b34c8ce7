#include "lsm/stripe_read.h"

#include "base/bits.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "schema/nulls.h"

/* ---- Segments -------------------------------------------------------------------------------- */

static stoa_status decompress(const stoa_stripe *stripe, const stoa_stripe_part *part, void **out,
                              stoa_error *err) {
    stoa_pool *pool = stripe->decompression->pool;
    stoa_codec *codec = NULL;
    STOA_TRY(stoa_pool_allocate(pool, part->raw_size, out, err));
    stoa_status status = stoa_codec_create(pool, stripe->decompression->codec, 0, &codec, err);
    if (status == STOA_OK) {
        status = stoa_codec_decompress(codec, stripe->bytes + part->offset, part->size, *out,
                                       part->raw_size, err);
        stoa_codec_close(codec);
    }
    if (status != STOA_OK) {
        stoa_pool_free(pool, *out, part->raw_size);
        *out = NULL;
    }
    return status;
}

static void free_raw(const stoa_stripe *stripe, int32_t number, void *raw) {
    if (raw != NULL) {
        stoa_pool_free(stripe->decompression->pool, raw, stripe->parts[number].raw_size);
    }
}

/* `*out_raw` is the caller's. */
static stoa_status open_checked(const stoa_stripe *stripe, int32_t number, uint32_t count,
                                stoa_segment *out, void **out_raw, stoa_error *err) {
    const stoa_stripe_part *part = &stripe->parts[number];
    const stoa_segment_type type = stoa_stripe_segment_type(stripe->layout, number);
    const uint8_t *bytes = stripe->bytes + part->offset;
    const uint32_t crc = stoa_crc32c(0, bytes, part->size);
    if (crc != part->crc) {
        return stoa_fail(err, STOA_CORRUPT,
                         "expected the checksum %08" PRIx32 " but found %08" PRIx32, part->crc,
                         crc);
    }
    if (part->raw_size == 0) {
        return stoa_segment_open(type, bytes, part->size, count, out, err);
    }
    STOA_TRY(decompress(stripe, part, out_raw, err));
    return stoa_segment_open(type, *out_raw, part->raw_size, count, out, err);
}

static stoa_status open_segment(const stoa_stripe *stripe, int32_t number, uint32_t count,
                                stoa_segment *out, void **out_raw, stoa_error *err) {
    *out_raw = NULL;
    const stoa_status status = open_checked(stripe, number, count, out, out_raw, err);
    if (status != STOA_OK) {
        free_raw(stripe, number, *out_raw);
        stoa_wrap(err, "segment %" PRId32, number);
    }
    return status;
}

stoa_status stoa_stripe_segment(const stoa_stripe *stripe, int32_t number, uint32_t count,
                                const stoa_segment **out, stoa_error *err) {
    stoa_stripe_slot *slot = &stripe->slots[number];
    *out = &slot->segment;
    if (atomic_load_explicit(&slot->state, memory_order_acquire) == 2) {
        return STOA_OK;
    }
    stoa_segment segment;
    void *raw;
    uint8_t expected = 0;
    STOA_TRY(open_segment(stripe, number, count, &segment, &raw, err));
    if (atomic_compare_exchange_strong(&slot->state, &expected, 1)) {
        slot->segment = segment;
        slot->raw = raw;
        if (raw != NULL) {
            atomic_fetch_add_explicit(&stripe->decompression->bytes, stripe->parts[number].raw_size,
                                      memory_order_relaxed);
        }
        atomic_store_explicit(&slot->state, 2, memory_order_release);
    } else {
        free_raw(stripe, number, raw);
    }
    /* Another thread is copying the same few words. */
    while (atomic_load_explicit(&slot->state, memory_order_acquire) != 2) {
    }
    return STOA_OK;
}

void stoa_stripe_slots_release(const stoa_stripe *stripe) {
    for (int32_t i = 0; stripe->decompression != NULL && i < stripe->layout->segment_count; i++) {
        stoa_stripe_slot *slot = &stripe->slots[i];
        if (slot->raw != NULL) {
            atomic_fetch_sub_explicit(&stripe->decompression->bytes, stripe->parts[i].raw_size,
                                      memory_order_relaxed);
        }
        free_raw(stripe, i, slot->raw);
        *slot = (stoa_stripe_slot){0};
    }
}

/* ---- Keys ------------------------------------------------------------------------------------ */

stoa_status stoa_stripe_find_number(const stoa_stripe *stripe, uint64_t number, uint32_t *out,
                                    stoa_error *err) {
    const stoa_segment *keys;
    STOA_TRY(stoa_stripe_segment(stripe, STOA_STRIPE_KEYS, stripe->row_count, &keys, err));
    *out = stoa_segment_find(keys, number);
    return STOA_OK;
}

static int compare_rest(const stoa_segment *keys, uint32_t row, const uint8_t *key, size_t size) {
    size_t found;
    const uint8_t *bytes = stoa_segment_value(keys, row, NULL, &found);
    return stoa_bytes_compare(bytes, found, key, size);
}

stoa_status stoa_stripe_find_bytes(const stoa_stripe *stripe, const uint8_t *key, size_t size,
                                   uint32_t *out, stoa_error *err) {
    const stoa_segment *keys;
    STOA_TRY(stoa_stripe_segment(stripe, STOA_STRIPE_KEYS, stripe->row_count, &keys, err));
    const size_t common = stripe->prefix_size < size ? stripe->prefix_size : size;
    const int order = common == 0 ? 0 : memcmp(stripe->prefix, key, common);
    if (order != 0 || stripe->prefix_size > size) {
        *out = order < 0 ? stripe->row_count : 0;
        return STOA_OK;
    }
    uint32_t low = 0, count = stripe->row_count;
    while (count > 0) {
        const uint32_t half = count / 2;
        if (compare_rest(keys, low + half, key + common, size - common) < 0) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    *out = low;
    return STOA_OK;
}

static uint32_t row_of(const stoa_stripe_selection *selection, int64_t i) {
    return selection->rows != NULL ? selection->rows[i] : selection->first + (uint32_t)i;
}

static stoa_status append_texts_of_keys(const stoa_stripe *stripe, const stoa_segment *keys,
                                        const stoa_stripe_selection *selection, stoa_keys *out,
                                        stoa_error *err) {
    if (out->offsets.size == 0) {
        STOA_TRY(stoa_buffer_append(&out->offsets, &(uint32_t){0}, sizeof(uint32_t), err));
    }
    for (int64_t i = 0; i < selection->count; i++) {
        size_t size;
        const uint8_t *bytes = stoa_segment_value(keys, row_of(selection, i), NULL, &size);
        if (out->bytes.size + stripe->prefix_size + size > UINT32_MAX) {
            return stoa_fail(err, STOA_LIMIT, "expected at most 4 GiB of keys");
        }
        STOA_TRY(stoa_buffer_append(&out->bytes, stripe->prefix, stripe->prefix_size, err));
        STOA_TRY(stoa_buffer_append(&out->bytes, bytes, size, err));
        const uint32_t end = (uint32_t)out->bytes.size;
        STOA_TRY(stoa_buffer_append(&out->offsets, &end, sizeof end, err));
        out->count++;
    }
    return STOA_OK;
}

stoa_status stoa_stripe_keys(const stoa_stripe *stripe, const stoa_stripe_selection *selection,
                             stoa_keys *out, stoa_error *err) {
    const stoa_segment *keys;
    STOA_TRY(stoa_stripe_segment(stripe, STOA_STRIPE_KEYS, stripe->row_count, &keys, err));
    if (!stripe->layout->key->is_number) {
        return append_texts_of_keys(stripe, keys, selection, out, err);
    }
    const size_t size = (size_t)selection->count * sizeof(uint64_t);
    STOA_TRY(stoa_buffer_reserve(&out->numbers, size, err));
    if (selection->rows != NULL) {
        stoa_segment_take(keys, selection->rows, selection->count, out->numbers.data, out->count);
    } else {
        stoa_segment_read(keys, selection->first, (uint32_t)selection->count, out->numbers.data,
                          out->count);
    }
    out->numbers.size += size;
    out->count += selection->count;
    return STOA_OK;
}

/* ---- Columns --------------------------------------------------------------------------------- */

/* Smaller than this, a copy costs less than counting a reference. */
enum { VIEW_BYTES_MIN = 4096 };

struct reading {
    const stoa_stripe *stripe;
    stoa_pool *pool;
    stoa_keeper *keeper; /* of the stripe's bytes; NULL: they are copied */
    stoa_error *err;
};

static stoa_status read_node(const struct reading *reading, int32_t index, uint32_t value_count,
                             const stoa_stripe_selection *selection, struct ArrowArray *out);

static void read_values(const stoa_segment *segment, const stoa_stripe_selection *selection,
                        void *out) {
    if (selection->rows != NULL) {
        stoa_segment_take(segment, selection->rows, selection->count, out, 0);
    } else {
        stoa_segment_read(segment, selection->first, (uint32_t)selection->count, out, 0);
    }
}

/* The buffer's memory goes to the array, on error nowhere. */
static stoa_status set_values(const struct reading *reading, const stoa_segment *segment,
                              const stoa_stripe_selection *selection, struct ArrowArray *out,
                              int64_t index) {
    stoa_buffer buffer;
    stoa_buffer_init(&buffer, reading->pool);
    const size_t size = segment->type.values == STOA_SEGMENT_BITS
                            ? stoa_bitmap_bytes(selection->count)
                            : (size_t)selection->count * (size_t)segment->type.value_bytes;
    STOA_TRY(stoa_buffer_reserve_exact(&buffer, size + 1, reading->err));
    buffer.data[size > 0 ? size - 1 : 0] = 0; /* the last bits of a bitmap */
    read_values(segment, selection, buffer.data);
    buffer.size = size;
    stoa_arrow_array_set_buffer(out, index, &buffer);
    return STOA_OK;
}

static stoa_status set_validity(const struct reading *reading, const stoa_stripe_node *node,
                                uint32_t value_count, const stoa_stripe_selection *selection,
                                struct ArrowArray *out) {
    const stoa_segment *bits;
    if (node->validity_segment < 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_stripe_segment(reading->stripe, node->validity_segment, value_count, &bits,
                                 reading->err));
    if (bits->kind == STOA_SEGMENT_CONSTANT && bits->values[0] != 0) {
        return STOA_OK;
    }
    STOA_TRY(set_values(reading, bits, selection, out, 0));
    out->null_count = selection->count - stoa_bitmap_count(out->buffers[0], 0, selection->count);
    return STOA_OK;
}

/* Values of a type that was widened since. */
static stoa_status set_widened(const struct reading *reading, const stoa_segment *segment,
                               const stoa_type *from, const stoa_type *to,
                               const stoa_stripe_selection *selection, struct ArrowArray *out) {
    stoa_buffer narrow, buffer;
    const size_t count = (size_t)selection->count;
    stoa_buffer_init(&narrow, reading->pool);
    stoa_buffer_init(&buffer, reading->pool);
    stoa_status status = stoa_buffer_reserve_exact(&narrow,
                                                   count * (size_t)segment->type.value_bytes + 1,
                                                   reading->err);
    if (status == STOA_OK) {
        const size_t size = count * stoa_type_value_bytes(to);
        status = stoa_buffer_reserve_exact(&buffer, size + 1, reading->err);
        buffer.size = status == STOA_OK ? size : 0;
    }
    if (status == STOA_OK) {
        read_values(segment, selection, narrow.data);
        stoa_stripe_values_widen(from, to, narrow.data, selection->count, buffer.data);
        stoa_arrow_array_set_buffer(out, 1, &buffer);
    }
    stoa_buffer_release(&narrow);
    stoa_buffer_release(&buffer);
    return status;
}

static void show(const struct reading *reading, const void *bytes, int64_t index,
                 struct ArrowArray *out) {
    stoa_arrow_array_set_buffer_view(out, index, bytes);
    stoa_arrow_array_keep(out, reading->keeper);
}

/* Texts where they lie; false: they are to be copied. */
static stoa_status show_texts(const struct reading *reading, const stoa_segment *segment,
                              const stoa_stripe_selection *selection, struct ArrowArray *out,
                              bool *out_shown) {
    stoa_buffer offsets;
    const uint8_t *bytes;
    size_t size;
    *out_shown = false;
    if (reading->keeper == NULL || selection->rows != NULL || selection->count == 0) {
        return STOA_OK;
    }
    stoa_buffer_init(&offsets, reading->pool);
    STOA_TRY(stoa_buffer_reserve_exact(&offsets, (size_t)(selection->count + 1) * sizeof(int32_t),
                                       reading->err));
    int32_t *ends = (int32_t *)(void *)offsets.data;
    *out_shown = stoa_segment_texts_view(segment, selection->first, (uint32_t)selection->count,
                                         ends + 1, &bytes, &size) &&
                 size >= VIEW_BYTES_MIN;
    if (!*out_shown) {
        stoa_buffer_release(&offsets);
        return STOA_OK;
    }
    ends[0] = 0;
    offsets.size = (size_t)(selection->count + 1) * sizeof *ends;
    stoa_arrow_array_set_buffer(out, 1, &offsets);
    show(reading, bytes, 2, out);
    return STOA_OK;
}

static stoa_status set_texts(const struct reading *reading, const stoa_segment *segment,
                             const stoa_stripe_selection *selection, struct ArrowArray *out) {
    stoa_buffer offsets, bytes;
    bool is_shown;
    STOA_TRY(show_texts(reading, segment, selection, out, &is_shown));
    if (is_shown) {
        return STOA_OK;
    }
    stoa_buffer_init(&offsets, reading->pool);
    stoa_buffer_init(&bytes, reading->pool);
    stoa_status status = stoa_buffer_append(&offsets, &(int32_t){0}, sizeof(int32_t), reading->err);
    if (status == STOA_OK) {
        status = stoa_segment_texts(segment, selection->rows, selection->first, selection->count,
                                    &offsets, &bytes, reading->err);
    }
    if (status != STOA_OK) {
        stoa_buffer_release(&offsets);
        stoa_buffer_release(&bytes);
        return status;
    }
    stoa_arrow_array_set_buffer(out, 1, &offsets);
    stoa_arrow_array_set_buffer(out, 2, &bytes);
    return STOA_OK;
}

/* Which items the chosen lists have. `rows` is used where the lists are not one after the other. */
static stoa_status select_items(const struct reading *reading, const stoa_segment *offsets,
                                const stoa_stripe_selection *selection, stoa_buffer *ends,
                                stoa_buffer *rows, stoa_stripe_selection *out) {
    int64_t total = 0;
    *out = (stoa_stripe_selection){0};
    STOA_TRY(stoa_buffer_reserve_exact(ends, (size_t)(selection->count + 1) * sizeof(int32_t),
                                       reading->err));
    STOA_TRY(stoa_buffer_append(ends, &(int32_t){0}, sizeof(int32_t), reading->err));
    for (int64_t i = 0; i < selection->count; i++) {
        const uint32_t row = row_of(selection, i);
        const uint32_t first = (uint32_t)stoa_segment_number(offsets, row);
        const uint32_t end = (uint32_t)stoa_segment_number(offsets, row + 1);
        if (i == 0) {
            out->first = first;
        }
        total += end - first;
        if (total > INT32_MAX) {
            return stoa_fail(reading->err, STOA_LIMIT, "more than 2^31 items in a batch");
        }
        const int32_t end_of_row = (int32_t)total;
        STOA_TRY(stoa_buffer_append(ends, &end_of_row, sizeof end_of_row, reading->err));
        for (uint32_t item = first; selection->rows != NULL && item < end; item++) {
            STOA_TRY(stoa_buffer_append(rows, &item, sizeof item, reading->err));
        }
    }
    out->count = total;
    out->rows = selection->rows == NULL || total == 0 ? NULL
                                                      : (const uint32_t *)(const void *)rows->data;
    return STOA_OK;
}

/* A map's entries are a struct between the map and its key and value. */
static stoa_status read_entries(const struct reading *reading, int32_t index, uint32_t items,
                                const stoa_stripe_selection *selection, struct ArrowArray *out) {
    const stoa_stripe_node *nodes = stoa_stripe_table(reading->stripe)->nodes;
    STOA_TRY(stoa_arrow_array_init(reading->pool, 1, 2, false, out, reading->err));
    out->length = selection->count;
    STOA_TRY(read_node(reading, index + 1, items, selection, out->children[0]));
    return read_node(reading, index + 1 + nodes[index + 1].subtree, items, selection,
                     out->children[1]);
}

/* `node` is where the stripe has the offsets. */
static stoa_status set_items(const struct reading *reading, int32_t index,
                             const stoa_stripe_node *node, uint32_t value_count,
                             const stoa_stripe_selection *selection, struct ArrowArray *out) {
    const stoa_segment *offsets;
    stoa_stripe_selection items;
    stoa_buffer ends, rows;
    STOA_TRY(stoa_stripe_segment(reading->stripe, node->value_segment, value_count + 1, &offsets,
                                 reading->err));
    const uint32_t item_count = (uint32_t)stoa_segment_number(offsets, value_count);
    stoa_buffer_init(&ends, reading->pool);
    stoa_buffer_init(&rows, reading->pool);
    stoa_status status = select_items(reading, offsets, selection, &ends, &rows, &items);
    if (status == STOA_OK) {
        status = node->type->kind == STOA_TYPE_MAP
                     ? read_entries(reading, index, item_count, &items, out->children[0])
                     : read_node(reading, index + 1, item_count, &items, out->children[0]);
    }
    stoa_buffer_release(&rows);
    if (status != STOA_OK) {
        stoa_buffer_release(&ends);
        return status;
    }
    stoa_arrow_array_set_buffer(out, 1, &ends);
    return STOA_OK;
}

static stoa_status set_fields(const struct reading *reading, int32_t index, uint32_t value_count,
                              const stoa_stripe_selection *selection, struct ArrowArray *out) {
    const stoa_stripe_node *nodes = stoa_stripe_table(reading->stripe)->nodes;
    int32_t below = index + 1;
    for (int64_t i = 0; i < out->n_children; i++) {
        STOA_TRY(read_node(reading, below, value_count, selection, out->children[i]));
        below += nodes[below].subtree;
    }
    return STOA_OK;
}

static stoa_status set_leaf(const struct reading *reading, const stoa_stripe_node *node,
                            const stoa_type *type, uint32_t value_count,
                            const stoa_stripe_selection *selection, struct ArrowArray *out) {
    const stoa_segment *segment;
    STOA_TRY(stoa_stripe_segment(reading->stripe, node->value_segment, value_count, &segment,
                                 reading->err));
    if (node->values.values == STOA_SEGMENT_TEXTS) {
        return set_texts(reading, segment, selection, out);
    }
    if (stoa_stripe_type_changed(node->type, type)) {
        return set_widened(reading, segment, node->type, type, selection, out);
    }
    if (reading->keeper != NULL && segment->kind == STOA_SEGMENT_PLAIN && selection->rows == NULL &&
        selection->count * segment->type.value_bytes >= VIEW_BYTES_MIN) {
        show(reading, segment->values + (size_t)selection->first * (size_t)node->values.value_bytes,
             1, out);
        return STOA_OK;
    }
    return set_values(reading, segment, selection, out, 1);
}

/* `index` is of the table's layout. As deep as the schema. What was made when it fails is released with
 * the column. */
static stoa_status read_node(const struct reading *reading, int32_t index, uint32_t value_count,
                             const stoa_stripe_selection *selection, struct ArrowArray *out) {
    const stoa_type *type = stoa_stripe_table(reading->stripe)->nodes[index].type;
    const stoa_stripe_node *node = stoa_stripe_source(reading->stripe, index);
    if (node == NULL || type->kind == STOA_TYPE_UNKNOWN) {
        return stoa_array_make_nulls(reading->pool, type, selection->count, out, reading->err);
    }
    const bool is_list = type->kind == STOA_TYPE_LIST || type->kind == STOA_TYPE_MAP;
    const bool is_struct = type->kind == STOA_TYPE_STRUCT;
    const bool is_text = node->values.values == STOA_SEGMENT_TEXTS;
    STOA_TRY(stoa_arrow_array_init(reading->pool,
                                   is_struct ? 1
                                   : is_text ? 3
                                             : 2,
                                   is_list     ? 1
                                   : is_struct ? type->child_count
                                               : 0,
                                   false, out, reading->err));
    out->length = selection->count;
    STOA_TRY(set_validity(reading, node, value_count, selection, out));
    if (is_list) {
        return set_items(reading, index, node, value_count, selection, out);
    }
    return is_struct ? set_fields(reading, index, value_count, selection, out)
                     : set_leaf(reading, node, type, value_count, selection, out);
}

stoa_status stoa_stripe_column(const stoa_stripe *stripe, stoa_pool *pool, int32_t column,
                               const stoa_stripe_selection *selection, struct ArrowArray *out,
                               stoa_error *err) {
    return stoa_stripe_column_view(stripe, pool, NULL, column, selection, out, err);
}

stoa_status stoa_stripe_column_view(const stoa_stripe *stripe, stoa_pool *pool, stoa_keeper *keeper,
                                    int32_t column, const stoa_stripe_selection *selection,
                                    struct ArrowArray *out, stoa_error *err) {
    const struct reading reading = {stripe, pool, keeper, err};
    const stoa_stripe_layout *layout = stoa_stripe_table(stripe);
    *out = (struct ArrowArray){0};
    STOA_ASSERT(layout->column_nodes[column] >= 0);
    const stoa_status status = read_node(&reading, layout->column_nodes[column], stripe->row_count,
                                         selection, out);
    if (status != STOA_OK) {
        const char *name = layout->schema->root.children[column].name;
        stoa_arrow_array_release(out);
        stoa_wrap(err, "column '%s'", name);
        stoa_error_set_column(err, column, name);
    }
    return status;
}
