/* Ownership of arrays: nodes, keepers, and slices that share memory.
 *
 * A slice is a tree of *mirror* nodes: they own nothing, point at the buffers of the original, and
 * each keeps one reference on the keeper that holds it. The first slice of an array moves the
 * original into such a keeper and puts a mirror in its place, so that source and slice are equals
 * from then on, and any child may be moved out or sliced again. Slicing a mirror makes another.
 *
 *     before   source ──▶ original buffers
 *     after    source (mirror) ─┐
 *              slice  (mirror) ─┴──▶ keeper ──▶ original
 *
 * Nothing changes before everything is allocated: a failure leaves the source as it was. */
#include "arrow/owner.h"

#include <stdatomic.h>

#include "arrow/array.h"
#include "arrow/layout.h"
#include "base/checked.h"

struct stoa_keeper {
    atomic_int_fast64_t references;
    stoa_pool *pool;
    void (*release)(void *user);
    void *user;
};

/* private_data of our arrays. Buffers, children and their pointers lie behind it in one block. */
struct node {
    stoa_pool *pool;
    size_t bytes; /* of the block */
    stoa_keeper *keeper;
    bool mirror; /* owns no buffer: the keeper holds them all */
    int64_t buffer_count;
    int64_t child_count;
    stoa_buffer *owned;
    const void **buffers;
    struct ArrowArray *children;
    struct ArrowArray **pointers;
    struct ArrowArray *dictionary;
};

stoa_status stoa_keeper_create(stoa_pool *pool, void (*release)(void *user), void *user,
                               stoa_keeper **out, stoa_error *err) {
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_keeper), &memory, err));
    stoa_keeper *keeper = memory;
    atomic_init(&keeper->references, 1);
    keeper->pool = pool;
    keeper->release = release;
    keeper->user = user;
    *out = keeper;
    return STOA_OK;
}

stoa_keeper *stoa_keeper_retain(stoa_keeper *keeper) {
    /* Relaxed: whoever retains holds a reference already, which orders it before the last release. */
    atomic_fetch_add_explicit(&keeper->references, 1, memory_order_relaxed);
    return keeper;
}

void stoa_keeper_release(stoa_keeper *keeper) {
    if (keeper == NULL) {
        return;
    }
    /* Release pairs with the acquire of the same line in the thread that goes last, so that it
     * frees only after all others have finished reading. */
    if (atomic_fetch_sub_explicit(&keeper->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    keeper->release(keeper->user);
    stoa_pool_free(keeper->pool, keeper, sizeof *keeper);
}

void stoa_arrow_array_release(struct ArrowArray *array) {
    if (array != NULL && array->release != NULL) {
        array->release(array);
        array->release = NULL;
    }
}

static void node_release(struct ArrowArray *array) {
    struct node *node = array->private_data;
    for (int64_t i = 0; i < node->child_count; i++) {
        stoa_arrow_array_release(&node->children[i]);
    }
    stoa_arrow_array_release(node->dictionary);
    for (int64_t i = 0; i < node->buffer_count; i++) {
        stoa_buffer_release(&node->owned[i]);
    }
    stoa_keeper_release(node->keeper);
    stoa_pool_free(node->pool, node, node->bytes);
    *array = (struct ArrowArray){0};
}

/* Adds `count` items of `size` bytes to the block being laid out; says where they begin. */
static bool block_add(size_t *bytes, int64_t count, size_t size, size_t *out_offset) {
    size_t items;
    *out_offset = *bytes;
    return stoa_mul_size((size_t)count, size, &items) && stoa_add_size(*bytes, items, bytes) &&
           stoa_round_up_size(*bytes, 16, bytes);
}

stoa_status stoa_arrow_array_init(stoa_pool *pool, int64_t buffer_count, int64_t child_count,
                                  bool dictionary, struct ArrowArray *out, stoa_error *err) {
    STOA_ASSERT(buffer_count >= 0 && child_count >= 0);
    *out = (struct ArrowArray){0};
    size_t bytes = 0;
    size_t self, owned, buffers, children, pointers, values;
    if (!block_add(&bytes, 1, sizeof(struct node), &self) ||
        !block_add(&bytes, buffer_count, sizeof(stoa_buffer), &owned) ||
        !block_add(&bytes, buffer_count, sizeof(void *), &buffers) ||
        !block_add(&bytes, child_count, sizeof(struct ArrowArray), &children) ||
        !block_add(&bytes, child_count, sizeof(struct ArrowArray *), &pointers) ||
        !block_add(&bytes, dictionary, sizeof(struct ArrowArray), &values)) {
        return stoa_fail(err, STOA_LIMIT, "an array of %" PRId64 " buffers and %" PRId64
                         " children is more than memory can hold", buffer_count, child_count);
    }
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, bytes, &memory, err));
    char *block = memory;
    struct node *node = memory;
    *node = (struct node){.pool = pool,
                          .bytes = bytes,
                          .buffer_count = buffer_count,
                          .child_count = child_count,
                          .owned = (stoa_buffer *)(block + owned),
                          .buffers = (const void **)(block + buffers),
                          .children = (struct ArrowArray *)(block + children),
                          .pointers = (struct ArrowArray **)(block + pointers),
                          .dictionary = dictionary ? (struct ArrowArray *)(block + values) : NULL};
    for (int64_t i = 0; i < child_count; i++) {
        node->pointers[i] = &node->children[i];
    }
    *out = (struct ArrowArray){.n_buffers = buffer_count,
                               .n_children = child_count,
                               .buffers = node->buffers,
                               .children = node->pointers,
                               .dictionary = node->dictionary,
                               .release = node_release,
                               .private_data = node};
    return STOA_OK;
}

void stoa_arrow_array_set_buffer(struct ArrowArray *array, int64_t index, stoa_buffer *buffer) {
    struct node *node = array->private_data;
    STOA_ASSERT(array->release == node_release && index < node->buffer_count);
    stoa_buffer_release(&node->owned[index]);
    node->owned[index] = stoa_buffer_move(buffer);
    node->buffers[index] = node->owned[index].data;
}

void stoa_arrow_array_set_buffer_view(struct ArrowArray *array, int64_t index, const void *bytes) {
    struct node *node = array->private_data;
    STOA_ASSERT(array->release == node_release && index < node->buffer_count);
    node->buffers[index] = bytes;
}

void stoa_arrow_array_keep(struct ArrowArray *array, stoa_keeper *keeper) {
    struct node *node = array->private_data;
    STOA_ASSERT(array->release == node_release && node->keeper == NULL);
    node->keeper = stoa_keeper_retain(keeper);
}

/* An original that was sliced, inside its keeper. */
struct box {
    stoa_pool *pool;
    struct ArrowArray original;
};

static void box_release(void *user) {
    struct box *box = user;
    stoa_arrow_array_release(&box->original);
    stoa_pool_free(box->pool, box, sizeof *box);
}

static stoa_status mirror_depth(stoa_pool *pool, const struct ArrowArray *source,
                                stoa_keeper *keeper, int depth, struct ArrowArray *out,
                                stoa_error *err);

static stoa_status mirror_children(stoa_pool *pool, const struct ArrowArray *source,
                                   stoa_keeper *keeper, int depth, struct ArrowArray *out,
                                   stoa_error *err) {
    for (int64_t i = 0; i < source->n_children; i++) {
        STOA_TRY(mirror_depth(pool, source->children[i], keeper, depth + 1, out->children[i], err));
    }
    if (source->dictionary != NULL) {
        STOA_TRY(mirror_depth(pool, source->dictionary, keeper, depth + 1, out->dictionary, err));
    }
    return STOA_OK;
}

/* One node that shows what `source` shows, its children still released. */
static stoa_status mirror_node(stoa_pool *pool, const struct ArrowArray *source,
                               stoa_keeper *keeper, struct ArrowArray *out, stoa_error *err) {
    *out = (struct ArrowArray){0};
    if (source->release == NULL) {
        return stoa_fail(err, STOA_INVALID, "a slice of an array that was released");
    }
    if (source->n_buffers < 0 || source->n_children < 0) {
        return stoa_fail(err, STOA_INVALID,
                         "a slice of an array of %" PRId64 " buffers and %" PRId64 " children",
                         source->n_buffers, source->n_children);
    }
    STOA_TRY(stoa_arrow_array_init(pool, source->n_buffers, source->n_children,
                                   source->dictionary != NULL, out, err));
    struct node *node = out->private_data;
    node->mirror = true;
    stoa_arrow_array_keep(out, keeper);
    for (int64_t i = 0; i < source->n_buffers; i++) {
        node->buffers[i] = source->buffers[i];
    }
    out->length = source->length;
    out->offset = source->offset;
    out->null_count = source->null_count;
    return STOA_OK;
}

static stoa_status mirror_depth(stoa_pool *pool, const struct ArrowArray *source,
                                stoa_keeper *keeper, int depth, struct ArrowArray *out,
                                stoa_error *err) {
    *out = (struct ArrowArray){0};
    if (depth > STOA_ARROW_DEPTH_MAX) {
        return stoa_fail(err, STOA_INVALID, "the array is nested deeper than %d levels",
                         STOA_ARROW_DEPTH_MAX);
    }
    STOA_TRY(mirror_node(pool, source, keeper, out, err));
    stoa_status status = mirror_children(pool, source, keeper, depth, out, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}

/* Turns `source` into a mirror where it is not one yet. The keeper is the caller's to borrow while
 * `source` lives. */
static stoa_status share(stoa_pool *pool, struct ArrowArray *source, stoa_keeper **out_view,
                         stoa_error *err) {
    if (source->release == node_release && ((struct node *)source->private_data)->mirror) {
        *out_view = ((struct node *)source->private_data)->keeper;
        return STOA_OK;
    }
    stoa_status status = STOA_OK;
    stoa_keeper *keeper = NULL;
    struct ArrowArray mirror = {0};
    void *memory = NULL;
    STOA_CHECK(stoa_pool_allocate_array(pool, 1, sizeof(struct box), &memory, err));
    struct box *box = memory;
    box->pool = pool;
    status = stoa_keeper_create(pool, box_release, box, &keeper, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, box, sizeof *box);
        goto done;
    }
    STOA_CHECK(mirror_depth(pool, source, keeper, 0, &mirror, err));
    box->original = *source;
    *source = mirror;
    *out_view = keeper;

done:
    /* On success the mirror's references remain; on failure the empty box goes with the last. */
    stoa_keeper_release(keeper);
    return status;
}

/* Narrows a node of ours to rows of what it shows. */
static void narrow(struct ArrowArray *array, int64_t offset, int64_t length) {
    if (array->n_buffers == 0 && array->n_children == 0) {
        array->null_count = length; /* null-typed */
    } else if (array->null_count != 0 && (offset != 0 || length != array->length)) {
        array->null_count = length == 0 ? 0 : -1;
    }
    /* No rows stand anywhere; some readers refuse them behind the end of their buffers. */
    array->offset = length == 0 ? 0 : array->offset + offset;
    array->length = length;
}

static stoa_status rows_check(const struct ArrowArray *source, int64_t offset, int64_t length,
                              const char *what, stoa_error *err) {
    int64_t end;
    if (offset < 0 || length < 0 || source->offset < 0 || !stoa_add_i64(offset, length, &end) ||
        end > source->length) {
        return stoa_fail(err, STOA_INVALID,
                         "a slice of rows %" PRId64 " to %" PRId64 " %s of %" PRId64 " rows",
                         offset, offset + (length < 0 ? 0 : length < INT64_MAX / 2 ? length : 0),
                         what, source->length);
    }
    return STOA_OK;
}

stoa_status stoa_arrow_slice_array(stoa_pool *pool, struct ArrowArray *source, int64_t offset,
                                   int64_t length, struct ArrowArray *out, stoa_error *err) {
    *out = (struct ArrowArray){0};
    STOA_TRY(rows_check(source, offset, length, "of an array", err));
    stoa_keeper *keeper;
    STOA_TRY(share(pool, source, &keeper, err));
    STOA_TRY(mirror_depth(pool, source, keeper, 0, out, err));
    narrow(out, offset, length);
    return STOA_OK;
}

/* Mirrors of `source`'s columns, narrowed to rows [offset, offset + length) of the batch. */
static stoa_status columns_mirror(stoa_pool *pool, const struct ArrowArray *source,
                                  stoa_keeper *keeper, const int32_t *columns, int64_t count,
                                  int64_t offset, int64_t length, struct ArrowArray *out,
                                  stoa_error *err) {
    STOA_TRY(stoa_arrow_array_init(pool, 1, count, false, out, err));
    ((struct node *)out->private_data)->mirror = true;
    stoa_arrow_array_keep(out, keeper);
    out->length = length;
    for (int64_t i = 0; i < count; i++) {
        int64_t column = columns == NULL ? i : columns[i];
        if (column < 0 || column >= source->n_children) {
            return stoa_fail(err, STOA_INVALID,
                             "expected a column from 0 to %" PRId64 " but found %" PRId64,
                             source->n_children - 1, column);
        }
        const struct ArrowArray *child = source->children[column];
        STOA_TRY(rows_check(child, source->offset + offset, length, "of a column", err));
        STOA_TRY(mirror_depth(pool, child, keeper, 1, out->children[i], err));
        narrow(out->children[i], source->offset + offset, length);
    }
    return STOA_OK;
}

static bool has_own_nulls(const struct ArrowArray *batch) {
    return batch->null_count != 0 && batch->n_buffers > 0 && batch->buffers[0] != NULL;
}

static stoa_status batch_check(const struct ArrowArray *source, stoa_error *err) {
    if (source->n_buffers != 1 || source->dictionary != NULL || has_own_nulls(source)) {
        return stoa_fail(err, STOA_INVALID, "expected a batch, a struct array without nulls, but "
                         "found an array of %" PRId64 " buffers and %" PRId64 " nulls",
                         source->n_buffers, source->null_count);
    }
    return STOA_OK;
}

stoa_status stoa_arrow_slice(stoa_pool *pool, struct ArrowArray *source, int64_t offset,
                             int64_t length, struct ArrowArray *out, stoa_error *err) {
    *out = (struct ArrowArray){0};
    STOA_TRY(batch_check(source, err));
    STOA_TRY(rows_check(source, offset, length, "of a batch", err));
    stoa_keeper *keeper;
    STOA_TRY(share(pool, source, &keeper, err));
    stoa_status status = columns_mirror(pool, source, keeper, NULL, source->n_children, offset,
                                        length, out, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}

stoa_status stoa_arrow_select_columns(stoa_pool *pool, struct ArrowArray *source,
                                      const int32_t *columns, int32_t column_count,
                                      struct ArrowArray *out, stoa_error *err) {
    *out = (struct ArrowArray){0};
    STOA_TRY(batch_check(source, err));
    stoa_keeper *keeper;
    STOA_TRY(share(pool, source, &keeper, err));
    static const int32_t none;
    stoa_status status = columns_mirror(pool, source, keeper, columns == NULL ? &none : columns,
                                        column_count, 0, source->length, out, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}
