/* A batch takes some thirty allocations when it is made of arrays of their own, and each column costs a
 * miss of the cache or two when its place is random. Here there is one block for all columns, and the
 * bytes of all columns are asked for before the first is unpacked.
 *
 * A block is counted: by the scan, by a batch and by each of its columns, which may be moved out. */
#include "lsm/scan_flat.h"

#include "base/bits.h"
#include "lsm/key_bytes.h"
#include "lsm/key_kernel.h"
#include "lsm/run_internal.h"
#include "lsm/segment_format.h"

enum { ALIGNMENT = 64, ROWS_MIN = 128, BUFFERS = 3, NUMBERS = 1024 };

/* A column: a leaf of the layout, or a part of a key that is a number. */
struct column {
    const stoa_stripe_node *node; /* NULL: of the key */
    const stoa_key_part *part;
    int shift;    /* bits of the key behind the part */
    size_t width; /* bytes of a value; 0: bits */
    bool is_text;
};

/* Memory of one batch. */
struct block {
    _Atomic int64_t references;
    stoa_pool *pool;
    size_t bytes; /* of the block itself */
    int64_t capacity;
    int32_t column_count;
    struct ArrowArray *columns;
    struct ArrowArray **pointers;
    const void **buffers; /* BUFFERS a column, and one that is NULL */
    uint8_t **validity;
    uint8_t **values;
    stoa_buffer *texts; /* offsets and bytes a column */
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
    struct segments *segments;
    struct block *block;
    uint64_t numbers[NUMBERS];
};

/* ---- Blocks ---------------------------------------------------------------------------------- */

static void release_block(struct block *block, int64_t references) {
    /* Pairs with itself: the last one frees, or fills it again, after all others have read. */
    if (atomic_fetch_sub_explicit(&block->references, references, memory_order_acq_rel) >
        references) {
        return;
    }
    for (int32_t i = 0; i < 2 * block->column_count; i++) {
        stoa_buffer_release(&block->texts[i]);
    }
    stoa_pool_free(block->pool, block, block->bytes);
}

static void column_release(struct ArrowArray *array) {
    struct block *block = array->private_data;
    array->release = NULL;
    release_block(block, 1);
}

static void batch_release(struct ArrowArray *array) {
    struct block *block = array->private_data;
    int64_t references = 1;
    for (int32_t i = 0; i < block->column_count; i++) {
        references += block->columns[i].release != NULL;
        block->columns[i].release = NULL;
    }
    array->release = NULL;
    release_block(block, references);
}

/* Adds room for `size` bytes to a block being laid out; says where it begins. */
static size_t add_room(size_t *bytes, size_t size) {
    const size_t at = *bytes;
    *bytes = (at + size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
}

/* One line more than the values need, so that columns of as many bytes as a way of the cache has do not all
 * begin in the same set. */
static size_t value_bytes(const struct column *column, int64_t rows) {
    const size_t bytes = column->width == 0 ? stoa_bitmap_bytes(rows) : (size_t)rows * column->width;
    return bytes + ALIGNMENT;
}

/* Column counts and capacities are small: nothing here can overflow. */
static stoa_status create_block(const stoa_flat *flat, int64_t capacity, struct block **out,
                                stoa_error *err) {
    const size_t count = (size_t)flat->column_count;
    size_t bytes = 0;
    void *memory = NULL;
    (void)add_room(&bytes, sizeof(struct block));
    const size_t columns = add_room(&bytes, count * sizeof(struct ArrowArray));
    const size_t pointers = add_room(&bytes, count * sizeof(void *));
    const size_t buffers = add_room(&bytes, (BUFFERS * count + 1) * sizeof(void *));
    const size_t validity = add_room(&bytes, count * sizeof(void *));
    const size_t values = add_room(&bytes, count * sizeof(void *));
    const size_t texts = add_room(&bytes, 2 * count * sizeof(stoa_buffer));
    size_t places = bytes;
    for (size_t i = 0; i < count; i++) {
        (void)add_room(&bytes, stoa_bitmap_bytes(capacity));
        (void)add_room(&bytes, value_bytes(&flat->columns[i], capacity));
    }
    STOA_TRY(stoa_pool_allocate(flat->pool, bytes, &memory, err));
    uint8_t *base = memory;
    struct block *block = memory;
    *block = (struct block){
        .pool = flat->pool,
        .bytes = bytes,
        .capacity = capacity,
        .column_count = flat->column_count,
        .columns = (struct ArrowArray *)(void *)(base + columns),
        .pointers = (struct ArrowArray **)(void *)(base + pointers),
        .buffers = (const void **)(void *)(base + buffers),
        .validity = (uint8_t **)(void *)(base + validity),
        .values = (uint8_t **)(void *)(base + values),
        .texts = (stoa_buffer *)(void *)(base + texts),
    };
    atomic_init(&block->references, 1);
    block->buffers[BUFFERS * count] = NULL;
    for (size_t i = 0; i < count; i++) {
        block->pointers[i] = &block->columns[i];
        block->validity[i] = base + add_room(&places, stoa_bitmap_bytes(capacity));
        block->values[i] = base + add_room(&places, value_bytes(&flat->columns[i], capacity));
        stoa_buffer_init(&block->texts[2 * i], flat->pool);
        stoa_buffer_init(&block->texts[2 * i + 1], flat->pool);
    }
    *out = block;
    return STOA_OK;
}

/* A block that nobody else has. */
static stoa_status take_block(stoa_flat *flat, int64_t rows, stoa_error *err) {
    struct block *block = flat->block;
    if (block != NULL && rows <= block->capacity &&
        atomic_load_explicit(&block->references, memory_order_acquire) == 1) {
        return STOA_OK;
    }
    int64_t capacity = ROWS_MIN;
    while (capacity < rows) {
        capacity *= 2;
    }
    STOA_TRY(create_block(flat, capacity, &block, err));
    if (flat->block != NULL) {
        release_block(flat->block, 1);
    }
    flat->block = block;
    return STOA_OK;
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* False for a column that is not read so. */
static bool describe_column(const stoa_stripe_layout *layout, int32_t column, struct column *out) {
    const stoa_key_format *key = layout->key;
    if (layout->column_nodes[column] >= 0) {
        const stoa_stripe_node *node = &layout->nodes[layout->column_nodes[column]];
        *out = (struct column){.node = node,
                               .width = (size_t)node->values.value_bytes,
                               .is_text = node->values.values == STOA_SEGMENT_TEXTS};
        return node->subtree == 1 && node->value_segment >= 0;
    }
    int shift = 8 * key->fixed_bytes;
    for (int32_t i = 0; key->is_number && i < key->part_count; i++) {
        shift -= 8 * key->parts[i].size;
        if (key->parts[i].column == column) {
            const stoa_type *type = &key->parts[i].field->type;
            *out = (struct column){.part = &key->parts[i], .shift = shift};
            out->width = type->kind == STOA_TYPE_BOOLEAN   ? 0
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
    const size_t count = (size_t)column_count;
    stoa_status status = STOA_OK;
    bool is_flat = true;
    STOA_CHECK(stoa_pool_allocate_array(pool, count, sizeof *flat->columns, &memory, err));
    flat->columns = memory;
    STOA_CHECK(stoa_pool_allocate_array(pool, count, sizeof *flat->segments, &memory, err));
    flat->segments = memory;
    for (int32_t i = 0; i < column_count; i++) {
        is_flat = is_flat && describe_column(layout, columns[i], &flat->columns[i]);
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
    if (flat->block != NULL) {
        release_block(flat->block, 1);
    }
    stoa_pool_free(flat->pool, flat->columns, (size_t)flat->column_count * sizeof *flat->columns);
    stoa_pool_free(flat->pool, flat->segments, (size_t)flat->column_count * sizeof *flat->segments);
    stoa_pool_free(flat->pool, flat, sizeof *flat);
}

/* ---- Reading --------------------------------------------------------------------------------- */

bool stoa_flat_takes(const stoa_run_window *window) {
    const stoa_run_window_rows *rows = (const stoa_run_window_rows *)window;
    return rows->stripe != NULL && rows->stripe->schema == NULL;
}

/* More than the first line of what is packed, which stoa_segment_prefetch asks for. */
static void prefetch_packed(const stoa_segment *segment, size_t first, size_t rows) {
    const size_t bits = (size_t)segment->frames.bits;
    if (segment->kind == STOA_SEGMENT_PLAIN || segment->kind == STOA_SEGMENT_CONSTANT) {
        return;
    }
    const uint8_t *packed = segment->frames.packed + first * bits / 8;
    for (size_t at = ALIGNMENT; at < rows * bits / 8 + ALIGNMENT; at += ALIGNMENT) {
        __builtin_prefetch(packed + at);
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
            stoa_segment_prefetch(&slot->segment, row);
            prefetch_packed(&slot->segment, row, left < ROWS_MIN ? left : ROWS_MIN);
        }
    }
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

/* The part of up to NUMBERS keys, as numbers: where it is the whole key they stand there as they are. */
static const uint64_t *cut_part(stoa_flat *flat, const struct column *column, const uint64_t *keys,
                                int64_t count) {
    const stoa_key_part *part = column->part;
    const uint64_t mask = stoa_key_mask(part->size), inverted = part->descending ? mask : 0;
    if (flat->layout->key->part_count == 1 && !part->descending) {
        return keys;
    }
    for (int64_t i = 0; i < count; i++) {
        flat->numbers[i] = (keys[i] >> column->shift & mask) ^ inverted;
    }
    return flat->numbers;
}

static stoa_status read_part(stoa_flat *flat, const struct column *column, const uint64_t *keys,
                             int64_t count, uint8_t *out, stoa_error *err) {
    const stoa_type *type = &column->part->field->type;
    for (int64_t first = 0; first < count; first += NUMBERS) {
        const int64_t rows = count - first < NUMBERS ? count - first : NUMBERS;
        const uint64_t *numbers = cut_part(flat, column, keys + first, rows);
        if (!stoa_key_numbers_valid(type, numbers, rows)) {
            return stoa_fail(err, STOA_CORRUPT, "column '%s': a key that holds no value of its type",
                             column->part->field->name);
        }
        stoa_key_values(type, numbers, rows, out);
        out += column->width == 0 ? stoa_bitmap_bytes(rows) : (size_t)rows * column->width;
    }
    return STOA_OK;
}

static stoa_status read_texts(const stoa_segment *segment, uint32_t first, int64_t count,
                              stoa_buffer *texts, const void **buffers, stoa_error *err) {
    stoa_buffer_clear(&texts[0]);
    stoa_buffer_clear(&texts[1]);
    STOA_TRY(stoa_buffer_append(&texts[0], &(int32_t){0}, sizeof(int32_t), err));
    STOA_TRY(stoa_segment_texts(segment, NULL, first, count, &texts[0], &texts[1], err));
    buffers[1] = texts[0].data;
    buffers[2] = texts[1].data;
    return STOA_OK;
}

/* Bits behind the last one are zero. */
static void read_bits(const stoa_segment *segment, uint32_t first, int64_t count, uint8_t *out) {
    out[(count - 1) / 8] = 0;
    stoa_segment_read(segment, first, (uint32_t)count, out, 0);
}

static stoa_status read_column(stoa_flat *flat, int32_t index, const stoa_run_window *window,
                               int64_t first, int64_t count, stoa_error *err) {
    const struct column *column = &flat->columns[index];
    const struct segments *segments = &flat->segments[index];
    struct block *block = flat->block;
    struct ArrowArray *out = &block->columns[index];
    const void **buffers = block->buffers + BUFFERS * index;
    const uint32_t row = ((const stoa_run_window_rows *)window)->first + (uint32_t)first;
    uint8_t *values = block->values[index];
    *out = (struct ArrowArray){.length = count,
                               .n_buffers = column->is_text ? 3 : 2,
                               .buffers = buffers,
                               .private_data = block};
    buffers[0] = NULL;
    buffers[1] = values;
    if (segments->validity != NULL &&
        (segments->validity->kind != STOA_SEGMENT_CONSTANT || segments->validity->values[0] == 0)) {
        read_bits(segments->validity, row, count, block->validity[index]);
        buffers[0] = block->validity[index];
        out->null_count = count - stoa_bitmap_count(block->validity[index], 0, count);
    }
    if (column->part != NULL) {
        values[(count - 1) / 8] = 0;
        return read_part(flat, column, window->keys.numbers + first, count, values, err);
    }
    if (column->is_text) {
        return read_texts(segments->values, row, count, &block->texts[2 * index], buffers, err);
    }
    if (column->width == 0) {
        read_bits(segments->values, row, count, values);
    } else {
        stoa_segment_read(segments->values, row, (uint32_t)count, values, 0);
    }
    return STOA_OK;
}

static stoa_status read_columns(stoa_flat *flat, const stoa_run_window *window, int64_t first,
                                int64_t count, stoa_error *err) {
    const stoa_run_window_rows *rows = (const stoa_run_window_rows *)window;
    STOA_TRY(open_segments(flat, rows->stripe, err));
    for (int32_t i = 0; i < flat->column_count; i++) {
        STOA_TRY(read_column(flat, i, window, first, count, err));
    }
    return stoa_sst_check_map(rows->file->sst, err);
}

stoa_status stoa_flat_read(stoa_flat *flat, const stoa_run_window *window, int64_t first,
                           int64_t count, struct ArrowArray *out, stoa_error *err) {
    const stoa_run_window_rows *rows = (const stoa_run_window_rows *)window;
    STOA_ASSERT(count > 0 && count <= STOA_FLAT_ROWS_MAX);
    STOA_TRY(take_block(flat, count, err));
    const stoa_status status = read_columns(flat, window, first, count, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "'%s', stripe %" PRId64, rows->file->uri, rows->stripe_number);
        return status;
    }
    struct block *block = flat->block;
    for (int32_t i = 0; i < flat->column_count; i++) {
        block->columns[i].release = column_release;
    }
    (void)atomic_fetch_add_explicit(&block->references, flat->column_count + 1,
                                    memory_order_relaxed);
    *out = (struct ArrowArray){.length = count,
                               .n_buffers = 1,
                               .n_children = flat->column_count,
                               .buffers = block->buffers + BUFFERS * flat->column_count,
                               .children = block->pointers,
                               .release = batch_release,
                               .private_data = block};
    return STOA_OK;
}
