/* Node by node down the column's tree: the values of a node are put together by a kernel, and what is
 * below a list by the places of its items. Called by gather and by the windows of memtables. */
#include "lsm/interleave.h"

#include "arrow/owner.h"
#include "base/bits.h"

/* What all nodes of a column share. The arena holds what the kernels are given. */
struct interleaving {
    const stoa_stripe_layout *layout;
    stoa_pool *pool;
    stoa_arena arena;
    int32_t source_count;
    stoa_error *err;
};

/* Rows of one node. */
struct rows {
    const stoa_interleave_source *sources;
    const stoa_place *places;
    int64_t count;
};

static stoa_status interleave_node(struct interleaving *all, int32_t index, const struct rows *rows,
                                   struct ArrowArray *out);

/* One thing a source. */
static stoa_status allocate(struct interleaving *all, size_t size, void **out) {
    return stoa_arena_allocate_array(&all->arena, (size_t)all->source_count, size, out, all->err);
}

static bool has_validity(const struct interleaving *all, const struct rows *rows) {
    for (int32_t i = 0; i < all->source_count; i++) {
        const struct ArrowArray *array = rows->sources[i].array;
        if (array->null_count != 0 && array->buffers[0] != NULL) {
            return true;
        }
    }
    return false;
}

/* Bits of buffer `index` of each source, or all ones where there is none. */
static stoa_status set_bits(struct interleaving *all, const struct rows *rows, int64_t index,
                            struct ArrowArray *out, int64_t *out_zeros) {
    void *memory[2];
    stoa_buffer buffer;
    STOA_TRY(allocate(all, sizeof(uint8_t *), &memory[0]));
    STOA_TRY(allocate(all, sizeof(int64_t), &memory[1]));
    const uint8_t **bits = memory[0];
    int64_t *at = memory[1];
    for (int32_t i = 0; i < all->source_count; i++) {
        bits[i] = rows->sources[i].array->buffers[index];
        at[i] = rows->sources[i].at;
    }
    stoa_buffer_init(&buffer, all->pool);
    STOA_TRY(stoa_buffer_reserve_exact(&buffer, stoa_bitmap_bytes(rows->count) + 1, all->err));
    *out_zeros = stoa_interleave_bits(bits, at, rows->places, rows->count, buffer.data);
    stoa_arrow_array_set_buffer(out, index, &buffer);
    return STOA_OK;
}

static stoa_status set_fixed(struct interleaving *all, const struct rows *rows, size_t width,
                             struct ArrowArray *out) {
    void *memory;
    stoa_buffer buffer;
    STOA_TRY(allocate(all, sizeof(uint8_t *), &memory));
    const uint8_t **values = memory;
    for (int32_t i = 0; i < all->source_count; i++) {
        const uint8_t *bytes = rows->sources[i].array->buffers[1];
        values[i] = bytes == NULL ? NULL : bytes + (size_t)rows->sources[i].at * width;
    }
    stoa_buffer_init(&buffer, all->pool);
    STOA_TRY(stoa_buffer_reserve_exact(&buffer, (size_t)rows->count * width + 1, all->err));
    stoa_interleave_fixed(values, width, rows->places, rows->count, buffer.data);
    stoa_arrow_array_set_buffer(out, 1, &buffer);
    return STOA_OK;
}

/* The offsets of texts, lists and maps; `*out_total` is the last. */
static stoa_status set_ends(struct interleaving *all, const struct rows *rows,
                            struct ArrowArray *out, const int32_t ***out_offsets,
                            int64_t *out_total) {
    static const int32_t no_offsets[1] = {0}; /* arrays without a row may have none */
    void *memory;
    stoa_buffer ends;
    STOA_TRY(allocate(all, sizeof(int32_t *), &memory));
    const int32_t **offsets = memory;
    for (int32_t i = 0; i < all->source_count; i++) {
        const int32_t *first = rows->sources[i].array->buffers[1];
        offsets[i] = first == NULL ? no_offsets : first + rows->sources[i].at;
    }
    stoa_buffer_init(&ends, all->pool);
    STOA_TRY(
        stoa_buffer_reserve_exact(&ends, (size_t)(rows->count + 1) * sizeof(int32_t), all->err));
    int32_t *first = (int32_t *)(void *)ends.data;
    first[0] = 0;
    *out_total = stoa_interleave_ends(offsets, rows->places, rows->count, first + 1);
    stoa_arrow_array_set_buffer(out, 1, &ends);
    *out_offsets = offsets;
    return *out_total <= INT32_MAX
               ? STOA_OK
               : stoa_fail(all->err, STOA_LIMIT, "more than 2^31 bytes or items in a batch");
}

static stoa_status set_texts(struct interleaving *all, const struct rows *rows,
                             struct ArrowArray *out) {
    const int32_t **offsets;
    void *memory;
    int64_t total;
    stoa_buffer buffer;
    STOA_TRY(set_ends(all, rows, out, &offsets, &total));
    STOA_TRY(allocate(all, sizeof(uint8_t *), &memory));
    const uint8_t **bytes = memory;
    for (int32_t i = 0; i < all->source_count; i++) {
        bytes[i] = rows->sources[i].array->buffers[2];
    }
    stoa_buffer_init(&buffer, all->pool);
    STOA_TRY(stoa_buffer_reserve_exact(&buffer, (size_t)total + 1, all->err));
    stoa_interleave_bytes(offsets, bytes, rows->places, rows->count, buffer.data);
    stoa_arrow_array_set_buffer(out, 2, &buffer);
    return STOA_OK;
}

/* The same rows of the sources' child `child`. */
static stoa_status child_sources(struct interleaving *all, const stoa_interleave_source *sources,
                                 int64_t child, bool is_field, const stoa_interleave_source **out) {
    void *memory;
    STOA_TRY(allocate(all, sizeof(stoa_interleave_source), &memory));
    stoa_interleave_source *below = memory;
    for (int32_t i = 0; i < all->source_count; i++) {
        const struct ArrowArray *array = sources[i].array->children[child];
        below[i] = (stoa_interleave_source){array, array->offset + (is_field ? sources[i].at : 0)};
    }
    *out = below;
    return STOA_OK;
}

static stoa_status set_fields(struct interleaving *all, int32_t index, const struct rows *rows,
                              struct ArrowArray *out) {
    int32_t below = index + 1;
    for (int64_t i = 0; i < out->n_children; i++) {
        struct rows fields = *rows;
        STOA_TRY(child_sources(all, rows->sources, i, true, &fields.sources));
        STOA_TRY(interleave_node(all, below, &fields, out->children[i]));
        below += all->layout->nodes[below].subtree;
    }
    return STOA_OK;
}

/* A map's entries are a struct in Arrow but not in the layout. */
static stoa_status set_entries(struct interleaving *all, int32_t index, const struct rows *rows,
                               struct ArrowArray *out) {
    STOA_TRY(stoa_arrow_array_init(all->pool, 1, 2, false, out, all->err));
    out->length = rows->count;
    return set_fields(all, index, rows, out);
}

static stoa_status set_items(struct interleaving *all, int32_t index, const struct rows *rows,
                             struct ArrowArray *out) {
    const int32_t **offsets;
    struct rows items;
    void *memory = NULL;
    STOA_TRY(set_ends(all, rows, out, &offsets, &items.count));
    STOA_TRY(child_sources(all, rows->sources, 0, false, &items.sources));
    const size_t bytes = (size_t)items.count * sizeof(stoa_place);
    STOA_TRY(stoa_pool_allocate(all->pool, bytes, &memory, all->err));
    stoa_interleave_items(offsets, rows->places, rows->count, memory);
    items.places = memory;
    const stoa_status status = all->layout->nodes[index].type->kind == STOA_TYPE_MAP
                                   ? set_entries(all, index, &items, out->children[0])
                                   : interleave_node(all, index + 1, &items, out->children[0]);
    stoa_pool_free(all->pool, memory, bytes);
    return status;
}

static stoa_status set_values(struct interleaving *all, int32_t index, const struct rows *rows,
                              struct ArrowArray *out) {
    const stoa_stripe_node *node = &all->layout->nodes[index];
    int64_t zeros;
    switch (node->values.values) {
    case STOA_SEGMENT_BITS: return set_bits(all, rows, 1, out, &zeros);
    case STOA_SEGMENT_TEXTS: return set_texts(all, rows, out);
    default: return set_fixed(all, rows, (size_t)node->values.value_bytes, out);
    }
}

/* As deep as the schema. What was made when it fails is released with the column. */
static stoa_status interleave_node(struct interleaving *all, int32_t index, const struct rows *rows,
                                   struct ArrowArray *out) {
    const stoa_stripe_node *node = &all->layout->nodes[index];
    const stoa_type_kind kind = node->type->kind;
    const bool is_list = kind == STOA_TYPE_LIST || kind == STOA_TYPE_MAP;
    const bool is_struct = kind == STOA_TYPE_STRUCT;
    const bool is_unknown = kind == STOA_TYPE_UNKNOWN;
    const bool is_text = node->values.values == STOA_SEGMENT_TEXTS;
    STOA_TRY(stoa_arrow_array_init(all->pool,
                                   is_unknown  ? 0
                                   : is_struct ? 1
                                   : is_text   ? 3
                                               : 2,
                                   is_list     ? 1
                                   : is_struct ? node->type->child_count
                                               : 0,
                                   false, out, all->err));
    out->length = rows->count;
    if (is_unknown) {
        out->null_count = rows->count;
        return STOA_OK;
    }
    if (has_validity(all, rows)) {
        STOA_TRY(set_bits(all, rows, 0, out, &out->null_count));
    }
    return is_list     ? set_items(all, index, rows, out)
           : is_struct ? set_fields(all, index, rows, out)
                       : set_values(all, index, rows, out);
}

stoa_status stoa_interleave_column(const stoa_stripe_layout *layout, stoa_pool *pool,
                                   int32_t column, const stoa_interleave_source *sources,
                                   int32_t source_count, const stoa_place *places, int64_t count,
                                   struct ArrowArray *out, stoa_error *err) {
    struct interleaving all = {.layout = layout,
                               .pool = pool,
                               .source_count = source_count,
                               .err = err};
    const struct rows rows = {sources, places, count};
    *out = (struct ArrowArray){0};
    STOA_ASSERT(layout->column_nodes[column] >= 0);
    stoa_arena_init(&all.arena, pool);
    const stoa_status status = interleave_node(&all, layout->column_nodes[column], &rows, out);
    stoa_arena_release(&all.arena);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
        stoa_wrap(err, "column '%s'", layout->schema->root.children[column].name);
    }
    return status;
}
