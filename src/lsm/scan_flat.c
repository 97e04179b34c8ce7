/* Rows of stripes as batches. Each column costs a miss of the cache or two when its place is random, so the
 * bytes of all columns are asked for before the first is unpacked. Where some rows are chosen packed
 * columns are read by their bits; the rows are listed only for columns that lie in another way. */
#include "lsm/scan_flat.h"

#include "base/bits.h"
#include "lsm/key_bytes.h"
#include "lsm/key_kernel.h"
#include "lsm/run_internal.h"
#include "lsm/scan_block.h"
#include "lsm/segment_format.h"

enum { LINE = 64, PREFETCH_ROWS = 128, TEXTS_BYTES = 1024, NUMBERS = 1024 };

/* A column: a leaf of the layout, or a part of a key that is a number. */
struct column {
    const stoa_stripe_node *node; /* NULL: of the key */
    const stoa_key_part *part;
    int shift; /* bits of the key behind the part */
};

/* What is read of a column. */
struct segments {
    const stoa_segment *validity; /* NULL: all are valid */
    const stoa_segment *values;
};

struct stoa_flat {
    stoa_pool *pool;
    const stoa_stripe_layout *layout;
    int32_t column_count;
    struct column *columns;
    stoa_scan_shape *shapes;
    struct segments *segments;
    stoa_scan_block *block; /* NULL: none yet */
    int64_t row_count;      /* of the batch that is being made */
    stoa_buffer rows;       /* uint32_t: of the stripe, of the rows that are being added; empty: not yet */
    uint64_t numbers[NUMBERS];
};

/* ---- Life ------------------------------------------------------------------------------------ */

/* False for a column that is not read so. */
static bool describe_column(const stoa_stripe_layout *layout, int32_t column, struct column *out,
                            stoa_scan_shape *shape) {
    const stoa_key_format *key = layout->key;
    if (layout->column_nodes[column] >= 0) {
        const stoa_stripe_node *node = &layout->nodes[layout->column_nodes[column]];
        *out = (struct column){.node = node};
        *shape = (stoa_scan_shape){.width = (size_t)node->values.value_bytes,
                                   .is_text = node->values.values == STOA_SEGMENT_TEXTS};
        return node->subtree == 1 && node->value_segment >= 0;
    }
    int shift = 8 * key->fixed_bytes;
    for (int32_t i = 0; key->is_number && i < key->part_count; i++) {
        shift -= 8 * key->parts[i].size;
        if (key->parts[i].column == column) {
            const stoa_type *type = &key->parts[i].field->type;
            *out = (struct column){.part = &key->parts[i], .shift = shift};
            shape->width = type->kind == STOA_TYPE_BOOLEAN   ? 0
                           : type->kind == STOA_TYPE_DECIMAL ? STOA_KEY_DECIMAL_BYTES
                                                             : (size_t)key->parts[i].size;
            return true;
        }
    }
    return false;
}

stoa_status stoa_flat_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                             const int32_t *columns, int32_t column_count, stoa_flat **out,
                             stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_flat), &memory, err));
    stoa_flat *flat = memory;
    *flat = (stoa_flat){.pool = pool, .layout = layout, .column_count = column_count};
    stoa_buffer_init(&flat->rows, pool);
    const size_t count = (size_t)column_count;
    stoa_status status = STOA_OK;
    bool is_flat = true;
    STOA_CHECK(stoa_pool_allocate_array(pool, count, sizeof *flat->columns, &memory, err));
    flat->columns = memory;
    STOA_CHECK(stoa_pool_allocate_array(pool, count, sizeof *flat->shapes, &memory, err));
    flat->shapes = memory;
    STOA_CHECK(stoa_pool_allocate_array(pool, count, sizeof *flat->segments, &memory, err));
    flat->segments = memory;
    for (int32_t i = 0; i < column_count; i++) {
        is_flat = is_flat && describe_column(layout, columns[i], &flat->columns[i],
                                             &flat->shapes[i]);
    }

done:
    if (status != STOA_OK || !is_flat) {
        stoa_flat_close(flat);
    } else {
        *out = flat;
    }
    return status;
}

void stoa_flat_close(stoa_flat *flat) {
    if (flat == NULL) {
        return;
    }
    const size_t count = (size_t)flat->column_count;
    stoa_scan_block_release(flat->block);
    stoa_buffer_release(&flat->rows);
    stoa_pool_free(flat->pool, flat->columns, count * sizeof *flat->columns);
    stoa_pool_free(flat->pool, flat->shapes, count * sizeof *flat->shapes);
    stoa_pool_free(flat->pool, flat->segments, count * sizeof *flat->segments);
    stoa_pool_free(flat->pool, flat, sizeof *flat);
}

/* ---- Asking ahead ---------------------------------------------------------------------------- */

/* These are inlined for the reason that stoa_segment_prefetch is. */
#define ALWAYS_INLINE __attribute__((always_inline)) static inline

/* Lines behind the first, which stoa_segment_prefetch asks for. */
ALWAYS_INLINE void prefetch_lines(const uint8_t *bytes, size_t size) {
    for (size_t at = LINE; at < size + LINE; at += LINE) {
        __builtin_prefetch(bytes + at);
    }
}

/* Where all texts are of one length it is known where they lie. */
ALWAYS_INLINE void prefetch_texts(const stoa_segment *segment, uint32_t first) {
    if (stoa_segment_is_frames(segment) && segment->frames.bits == 0 &&
        segment->frames.row_mask == SIZE_MAX) {
        const uint8_t *bytes = segment->values + stoa_frames_number(&segment->frames, first);
        __builtin_prefetch(bytes);
        prefetch_lines(bytes, TEXTS_BYTES);
    }
}

ALWAYS_INLINE void prefetch_rows(const stoa_segment *segment, uint32_t first, size_t rows) {
    const size_t bits = segment->kind == STOA_SEGMENT_PLAIN
                            ? 8 * (size_t)segment->type.value_bytes
                            : (size_t)segment->frames.bits;
    const uint8_t *packed = segment->kind == STOA_SEGMENT_PLAIN ? segment->values
                                                                : segment->frames.packed;
    stoa_segment_prefetch(segment, first);
    if (bits > 0) {
        prefetch_lines(packed + first * bits / 8, rows * bits / 8);
    }
    if (segment->type.values == STOA_SEGMENT_TEXTS) {
        prefetch_texts(segment, first);
    }
}

void stoa_flat_prefetch(const stoa_flat *flat, const stoa_stripe *stripe, uint32_t row) {
    const size_t left = stripe->row_count - row;
    if (stripe->schema != NULL) {
        return;
    }
    for (int32_t i = 0; i < flat->column_count; i++) {
        const stoa_stripe_node *node = flat->columns[i].node;
        const stoa_stripe_slot *slot = node == NULL ? NULL : &stripe->slots[node->value_segment];
        if (slot != NULL && atomic_load_explicit(&slot->state, memory_order_acquire) == 2) {
            prefetch_rows(&slot->segment, row, left < PREFETCH_ROWS ? left : PREFETCH_ROWS);
        }
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

bool stoa_flat_takes(const stoa_run_window *window) {
    const stoa_run_window_rows *rows = (const stoa_run_window_rows *)window;
    return rows->stripe != NULL && rows->stripe->schema == NULL;
}

static stoa_status open_segments(stoa_flat *flat, const stoa_stripe *stripe, stoa_error *err) {
    for (int32_t i = 0; i < flat->column_count; i++) {
        const stoa_stripe_node *node = flat->columns[i].node;
        struct segments *segments = &flat->segments[i];
        *segments = (struct segments){NULL, NULL};
        if (node == NULL) {
            continue;
        }
        STOA_TRY(stoa_stripe_segment(stripe, node->value_segment, stripe->row_count,
                                     &segments->values, err));
        if (node->validity_segment >= 0) {
            STOA_TRY(stoa_stripe_segment(stripe, node->validity_segment, stripe->row_count,
                                         &segments->validity, err));
        }
    }
    return STOA_OK;
}

static uint32_t first_row(const stoa_flat_rows *rows) {
    return ((const stoa_run_window_rows *)rows->window)->first + (uint32_t)rows->first;
}

/* The rows that are chosen, in the stripe; NULL where all are. */
static stoa_status list_rows(stoa_flat *flat, const stoa_flat_rows *rows, const uint32_t **out,
                             stoa_error *err) {
    const uint32_t first = first_row(rows);
    *out = NULL;
    if (rows->bits == NULL) {
        return STOA_OK;
    }
    if (flat->rows.size == 0) {
        STOA_TRY(stoa_buffer_reserve(&flat->rows, ((size_t)rows->chosen + 1) * sizeof **out, err));
        flat->rows.size = (size_t)rows->chosen * sizeof **out;
        stoa_bitmap_list(rows->bits, rows->count, first, (uint32_t *)(void *)flat->rows.data);
    }
    *out = (const uint32_t *)(const void *)flat->rows.data;
    return STOA_OK;
}

/* The part of up to NUMBERS keys: those that follow each other, or of the rows listed, which count from
 * `base` on. Where it is the whole key they stand there as they are. */
static const uint64_t *cut_part(stoa_flat *flat, const struct column *column, const uint64_t *keys,
                                const uint32_t *rows, uint32_t base, int64_t count) {
    const stoa_key_part *part = column->part;
    const uint64_t mask = stoa_key_mask(part->size), inverted = part->descending ? mask : 0;
    if (rows == NULL && flat->layout->key->part_count == 1 && !part->descending) {
        return keys;
    }
    for (int64_t i = 0; i < count; i++) {
        const uint64_t key = keys[rows != NULL ? rows[i] - base : i];
        flat->numbers[i] = (key >> column->shift & mask) ^ inverted;
    }
    return flat->numbers;
}

/* Values go to where row `at` is; bits through a block of their own, as they may begin within a byte. */
static void put_part(const stoa_type *type, const uint64_t *numbers, int64_t count, size_t width,
                     uint8_t *values, int64_t at) {
    uint8_t bits[NUMBERS / 8];
    if (width > 0) {
        stoa_key_values(type, numbers, count, values + (size_t)at * width);
    } else {
        stoa_key_values(type, numbers, count, bits);
        stoa_bitmap_copy(bits, 0, values, at, count);
    }
}

static stoa_status read_part(stoa_flat *flat, int32_t index, const stoa_flat_rows *rows,
                             stoa_error *err) {
    const struct column *column = &flat->columns[index];
    const stoa_type *type = &column->part->field->type;
    const uint64_t *keys = rows->window->keys.numbers + rows->first;
    const uint32_t *listed;
    STOA_TRY(list_rows(flat, rows, &listed, err));
    for (int64_t done = 0; done < rows->chosen; done += NUMBERS) {
        const int64_t left = rows->chosen - done, count = left < NUMBERS ? left : NUMBERS;
        const uint64_t *numbers = listed == NULL
                                      ? cut_part(flat, column, keys + done, NULL, 0, count)
                                      : cut_part(flat, column, keys, listed + done,
                                                 first_row(rows), count);
        if (!stoa_key_numbers_valid(type, numbers, count)) {
            return stoa_fail(err, STOA_CORRUPT, "column '%s': a key that holds no value of its type",
                             column->part->field->name);
        }
        put_part(type, numbers, count, flat->shapes[index].width,
                 flat->block->columns[index].values, flat->row_count + done);
    }
    return STOA_OK;
}

static stoa_status read_texts(stoa_flat *flat, const stoa_segment *segment,
                              const stoa_flat_rows *rows, stoa_scan_block_column *out,
                              stoa_error *err) {
    const uint32_t *listed;
    STOA_TRY(list_rows(flat, rows, &listed, err));
    if (out->offsets.size == 0) {
        STOA_TRY(stoa_buffer_append(&out->offsets, &(int32_t){0}, sizeof(int32_t), err));
    }
    return stoa_segment_texts(segment, listed, first_row(rows), rows->chosen, &out->offsets,
                              &out->bytes, err);
}

/* Bits or values of one width behind those that are there. */
static stoa_status read_values(stoa_flat *flat, const stoa_segment *segment,
                               const stoa_flat_rows *rows, uint8_t *out, stoa_error *err) {
    const uint32_t *listed;
    const size_t at = (size_t)flat->row_count * (size_t)segment->type.value_bytes;
    if (rows->bits == NULL) {
        stoa_segment_read(segment, first_row(rows), (uint32_t)rows->count, out, flat->row_count);
    } else if (!stoa_segment_choose(segment, first_row(rows), (uint32_t)rows->count, rows->bits,
                                    out + at)) {
        STOA_TRY(list_rows(flat, rows, &listed, err));
        stoa_segment_take(segment, listed, rows->chosen, out, flat->row_count);
    }
    return STOA_OK;
}

/* A column has a validity from the first rows on that need one. */
static stoa_status read_validity(stoa_flat *flat, const stoa_segment *segment,
                                 const stoa_flat_rows *rows, stoa_scan_block_column *out,
                                 stoa_error *err) {
    const bool are_valid = segment == NULL || (segment->kind == STOA_SEGMENT_CONSTANT &&
                                               segment->values[0] != 0);
    if (are_valid && !out->has_validity) {
        return STOA_OK;
    }
    if (!out->has_validity) {
        stoa_bitmap_fill(out->validity, 0, flat->row_count, true);
        out->has_validity = true;
    }
    if (are_valid) {
        stoa_bitmap_fill(out->validity, flat->row_count, rows->chosen, true);
        return STOA_OK;
    }
    return read_values(flat, segment, rows, out->validity, err);
}

static stoa_status read_column(stoa_flat *flat, int32_t index, const stoa_flat_rows *rows,
                               stoa_error *err) {
    const struct segments *segments = &flat->segments[index];
    stoa_scan_block_column *out = &flat->block->columns[index];
    if (flat->columns[index].part != NULL) {
        return read_part(flat, index, rows, err);
    }
    STOA_TRY(read_validity(flat, segments->validity, rows, out, err));
    return out->shape.is_text ? read_texts(flat, segments->values, rows, out, err)
                              : read_values(flat, segments->values, rows, out->values, err);
}

static stoa_status read_columns(stoa_flat *flat, const stoa_flat_rows *rows, stoa_error *err) {
    const stoa_run_window_rows *window = (const stoa_run_window_rows *)rows->window;
    stoa_buffer_clear(&flat->rows);
    STOA_TRY(open_segments(flat, window->stripe, err));
    for (int32_t i = 0; i < flat->column_count; i++) {
        STOA_TRY(read_column(flat, i, rows, err));
    }
    return stoa_sst_check_map(window->file->sst, err);
}

stoa_status stoa_flat_append(stoa_flat *flat, const stoa_flat_rows *rows, stoa_error *err) {
    const stoa_run_window_rows *window = (const stoa_run_window_rows *)rows->window;
    STOA_ASSERT(rows->chosen > 0 && rows->chosen <= rows->count);
    STOA_TRY(stoa_scan_block_reserve(flat->pool, flat->shapes, flat->column_count, flat->row_count,
                                     flat->row_count + rows->chosen, &flat->block, err));
    const stoa_status status = read_columns(flat, rows, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "'%s', stripe %" PRId64, window->file->uri, window->stripe_number);
        return status;
    }
    flat->row_count += rows->chosen;
    return STOA_OK;
}

int64_t stoa_flat_row_count(const stoa_flat *flat) {
    return flat->row_count;
}

void stoa_flat_finish(stoa_flat *flat, struct ArrowArray *out) {
    STOA_ASSERT(flat->row_count > 0);
    stoa_scan_block_batch(flat->block, flat->row_count, out);
    flat->row_count = 0;
}

void stoa_flat_drop(stoa_flat *flat) {
    flat->row_count = 0;
}
