/* A batch takes some thirty allocations when it is made of arrays of their own, and megabytes of fresh
 * memory a page fault for every 4 KiB. */
#include "lsm/scan_block.h"

#include "base/bits.h"

enum { ALIGNMENT = 64, ROWS_MIN = 128, BUFFERS = 3, ROWS_MORE = 8 };

static void drop(stoa_scan_block *block, int64_t references) {
    /* Pairs with itself: the last one frees, or fills it again, after all others have read. */
    if (atomic_fetch_sub_explicit(&block->references, references, memory_order_acq_rel) >
        references) {
        return;
    }
    for (int32_t i = 0; i < block->column_count; i++) {
        stoa_buffer_release(&block->columns[i].offsets);
        stoa_buffer_release(&block->columns[i].bytes);
    }
    stoa_pool_free(block->pool, block, block->size);
}

void stoa_scan_block_release(stoa_scan_block *block) {
    if (block != NULL) {
        drop(block, 1);
    }
}

/* ---- Layout ---------------------------------------------------------------------------------- */

/* Adds room for `size` bytes to a block being laid out; says where it begins. */
static size_t add_room(size_t *bytes, size_t size) {
    const size_t at = *bytes;
    *bytes = (at + size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
}

static size_t validity_bytes(int64_t rows) {
    return stoa_bitmap_bytes(rows + ROWS_MORE);
}

/* One line more than is needed, so that columns that fill a way of the cache do not all begin in the same
 * set. */
static size_t value_bytes(const stoa_scan_shape *shape, int64_t rows) {
    const size_t count = (size_t)(rows + ROWS_MORE);
    return ALIGNMENT + (shape->width > 0 ? count * shape->width
                        : shape->is_text ? 0
                                         : stoa_bitmap_bytes(rows + ROWS_MORE));
}

/* Column counts and capacities are small: nothing here can overflow. */
static stoa_status create(stoa_pool *pool, const stoa_scan_shape *shapes, int32_t column_count,
                          int64_t capacity, stoa_scan_block **out, stoa_error *err) {
    const size_t count = (size_t)column_count;
    size_t size = 0;
    void *memory = NULL;
    (void)add_room(&size, sizeof(stoa_scan_block));
    const size_t columns = add_room(&size, count * sizeof(stoa_scan_block_column));
    const size_t arrays = add_room(&size, count * sizeof(struct ArrowArray));
    const size_t pointers = add_room(&size, count * sizeof(void *));
    const size_t buffers = add_room(&size, (BUFFERS * count + 1) * sizeof(void *));
    size_t place = size;
    for (size_t i = 0; i < count; i++) {
        (void)add_room(&size, validity_bytes(capacity));
        (void)add_room(&size, value_bytes(&shapes[i], capacity));
    }
    STOA_TRY(stoa_pool_allocate(pool, size, &memory, err));
    uint8_t *base = memory;
    stoa_scan_block *block = memory;
    *block = (stoa_scan_block){
        .pool = pool,
        .size = size,
        .capacity = capacity,
        .column_count = column_count,
        .columns = (stoa_scan_block_column *)(void *)(base + columns),
        .arrays = (struct ArrowArray *)(void *)(base + arrays),
        .pointers = (struct ArrowArray **)(void *)(base + pointers),
        .buffers = (const void **)(void *)(base + buffers),
    };
    atomic_init(&block->references, 1);
    for (size_t i = 0; i < count; i++) {
        stoa_scan_block_column *column = &block->columns[i];
        *column = (stoa_scan_block_column){.shape = shapes[i]};
        column->validity = base + add_room(&place, validity_bytes(capacity));
        column->values = base + add_room(&place, value_bytes(&shapes[i], capacity));
        stoa_buffer_init(&column->offsets, pool);
        stoa_buffer_init(&column->bytes, pool);
        block->pointers[i] = &block->arrays[i];
    }
    *out = block;
    return STOA_OK;
}

/* ---- Filling --------------------------------------------------------------------------------- */

/* The first rows of a block go into a larger one. */
static void move_rows(stoa_scan_block *from, int64_t rows, stoa_scan_block *to) {
    for (int32_t i = 0; i < from->column_count; i++) {
        stoa_scan_block_column *source = &from->columns[i], *target = &to->columns[i];
        const size_t width = source->shape.width;
        target->has_validity = source->has_validity;
        if (source->has_validity) {
            memcpy(target->validity, source->validity, stoa_bitmap_bytes(rows));
        }
        if (source->shape.is_text) {
            target->offsets = stoa_buffer_move(&source->offsets);
            target->bytes = stoa_buffer_move(&source->bytes);
        } else {
            memcpy(target->values, source->values,
                   width > 0 ? (size_t)rows * width : stoa_bitmap_bytes(rows));
        }
    }
}

static void empty(stoa_scan_block *block) {
    for (int32_t i = 0; i < block->column_count; i++) {
        block->columns[i].has_validity = false;
        stoa_buffer_clear(&block->columns[i].offsets);
        stoa_buffer_clear(&block->columns[i].bytes);
    }
}

stoa_status stoa_scan_block_reserve(stoa_pool *pool, const stoa_scan_shape *shapes,
                                    int32_t column_count, int64_t kept, int64_t rows,
                                    stoa_scan_block **block, stoa_error *err) {
    stoa_scan_block *old = *block, *made;
    const bool is_own = old != NULL &&
                        atomic_load_explicit(&old->references, memory_order_acquire) == 1;
    STOA_ASSERT(kept == 0 || is_own);
    if (is_own && kept == 0) {
        empty(old);
    }
    if (is_own && rows <= old->capacity) {
        return STOA_OK;
    }
    int64_t capacity = ROWS_MIN;
    while (capacity < rows) {
        capacity *= 2;
    }
    STOA_TRY(create(pool, shapes, column_count, capacity, &made, err));
    if (kept > 0) {
        move_rows(old, kept, made);
    }
    stoa_scan_block_release(old);
    *block = made;
    return STOA_OK;
}

/* ---- Batches --------------------------------------------------------------------------------- */

static void column_release(struct ArrowArray *array) {
    stoa_scan_block *block = array->private_data;
    array->release = NULL;
    drop(block, 1);
}

static void batch_release(struct ArrowArray *array) {
    stoa_scan_block *block = array->private_data;
    int64_t references = 1;
    for (int32_t i = 0; i < block->column_count; i++) {
        references += block->arrays[i].release != NULL;
        block->arrays[i].release = NULL;
    }
    array->release = NULL;
    drop(block, references);
}

/* Bits behind the last one are zero. */
static void end_bits(uint8_t *bits, int64_t rows) {
    if (rows % 8 != 0) {
        bits[rows / 8] &= (uint8_t)((1u << rows % 8) - 1);
    }
}

static void set_array(stoa_scan_block *block, int32_t index, int64_t rows) {
    stoa_scan_block_column *column = &block->columns[index];
    const void **buffers = block->buffers + BUFFERS * index;
    const bool is_text = column->shape.is_text;
    block->arrays[index] = (struct ArrowArray){.length = rows,
                                               .n_buffers = is_text ? 3 : 2,
                                               .buffers = buffers,
                                               .release = column_release,
                                               .private_data = block};
    buffers[0] = NULL;
    buffers[1] = is_text ? column->offsets.data : column->values;
    buffers[2] = column->bytes.data;
    if (!is_text && column->shape.width == 0) {
        end_bits(column->values, rows);
    }
    if (column->has_validity) {
        end_bits(column->validity, rows);
        buffers[0] = column->validity;
        block->arrays[index].null_count = rows - stoa_bitmap_count(column->validity, 0, rows);
    }
}

void stoa_scan_block_batch(stoa_scan_block *block, int64_t rows, struct ArrowArray *out) {
    const void **none = &block->buffers[(ptrdiff_t)BUFFERS * block->column_count];
    for (int32_t i = 0; i < block->column_count; i++) {
        set_array(block, i, rows);
    }
    *none = NULL;
    (void)atomic_fetch_add_explicit(&block->references, block->column_count + 1,
                                    memory_order_relaxed);
    *out = (struct ArrowArray){.length = rows,
                               .n_buffers = 1,
                               .n_children = block->column_count,
                               .buffers = none,
                               .children = block->pointers,
                               .release = batch_release,
                               .private_data = block};
}
