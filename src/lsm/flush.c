#include "lsm/flush.h"

#include "arrow/owner.h"
#include "lsm/flush_rows.h"
#include "lsm/memtable_internal.h"
#include "lsm/output.h"

enum { AHEAD = 32 }; /* rows whose keys are fetched while one is copied */

/* What is known of the rows of a piece, so that nothing is looked up that is the same for all. */
struct versions {
    uint64_t first_sequence;
    const uint64_t *sequences; /* NULL: first_sequence and on */
    const uint8_t *operations; /* NULL: all `operation` */
    stoa_operation operation;
};

/* What all stripes share. The arena holds what is one a piece. */
struct flush {
    stoa_pool *pool;
    const stoa_stripe_layout *layout;
    stoa_flush_rows rows;
    stoa_arena arena;
    stoa_interleave_source *sources; /* of each column, one a piece */
    const uint8_t **
        *values; /* of each column its values, one a piece; NULL: see has_plain_values */
    struct versions *versions;
    struct stripe *stripes;
    int64_t stripe_count;
    bool is_bulk;
};

struct stripe {
    const struct flush *flush;
    int64_t first;
    int64_t count;
};

/* ---- The rows of a stripe --------------------------------------------------------------------- */

/* Rows may lie anywhere in the memtable. */
static void copy_numbers(const struct flush *flush, const stoa_place *places, int64_t count,
                         uint64_t *out) {
    const stoa_memtable_piece *const *pieces = flush->rows.pieces;
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            const stoa_place next = places[i + AHEAD];
            __builtin_prefetch(&pieces[next.source]->keys.numbers[next.row]);
        }
        out[i] = pieces[places[i].source]->keys.numbers[places[i].row];
    }
}

static stoa_status copy_bytes(const struct flush *flush, const stoa_place *places, int64_t count,
                              stoa_keys *keys, stoa_error *err) {
    uint32_t *offsets = (uint32_t *)(void *)keys->offsets.data;
    offsets[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        const stoa_keys_view *from = &flush->rows.pieces[places[i].source]->keys;
        const uint32_t *at = from->offsets + places[i].row;
        STOA_TRY(stoa_buffer_append(&keys->bytes, from->bytes + at[0], at[1] - at[0], err));
        offsets[i + 1] = (uint32_t)keys->bytes.size; /* 8,192 keys of 64 KiB at most */
    }
    keys->offsets.size = (size_t)(count + 1) * sizeof *offsets;
    return STOA_OK;
}

static stoa_status fill_keys(const struct flush *flush, const stoa_place *places, int64_t count,
                             stoa_keys *keys, stoa_error *err) {
    if (flush->layout->key->is_number) {
        STOA_TRY(stoa_buffer_reserve(&keys->numbers, (size_t)count * sizeof(uint64_t), err));
        copy_numbers(flush, places, count, (uint64_t *)(void *)keys->numbers.data);
        keys->numbers.size = (size_t)count * sizeof(uint64_t);
    } else {
        STOA_TRY(stoa_buffer_reserve(&keys->offsets, (size_t)(count + 1) * sizeof(uint32_t), err));
        STOA_TRY(copy_bytes(flush, places, count, keys, err));
    }
    keys->count = count;
    return STOA_OK;
}

static stoa_status fill_versions(const struct flush *flush, const stoa_place *places, int64_t count,
                                 stoa_output_rows *out, stoa_error *err) {
    STOA_TRY(stoa_buffer_reserve(&out->sequences, (size_t)count * sizeof(uint64_t), err));
    STOA_TRY(stoa_buffer_reserve(&out->operations, (size_t)count, err));
    uint64_t *sequences = (uint64_t *)(void *)out->sequences.data;
    for (int64_t i = 0; i < count; i++) {
        const struct versions *of = &flush->versions[places[i].source];
        const uint32_t row = places[i].row;
        sequences[i] = flush->is_bulk          ? 0
                       : of->sequences == NULL ? of->first_sequence + row
                                               : of->sequences[row];
        out->operations.data[i] = of->operations == NULL ? (uint8_t)of->operation
                                                         : of->operations[row];
    }
    out->sequences.size = (size_t)count * sizeof *sequences;
    out->operations.size = (size_t)count;
    return STOA_OK;
}

/* A column of has_plain_values: what is looked up for each piece was looked up for all stripes. */
static stoa_status fill_plain(const struct flush *flush, int32_t column, const stoa_place *places,
                              int64_t count, struct ArrowArray *out, stoa_error *err) {
    const int32_t node = flush->layout->column_nodes[column];
    const size_t width = (size_t)flush->layout->nodes[node].values.value_bytes;
    stoa_buffer buffer;
    STOA_TRY(stoa_arrow_array_init(flush->pool, 2, 0, false, out, err));
    out->length = count;
    stoa_buffer_init(&buffer, flush->pool);
    STOA_TRY(stoa_buffer_reserve_exact(&buffer, (size_t)count * width, err));
    stoa_interleave_fixed(flush->values[column], width, places, count, buffer.data);
    stoa_arrow_array_set_buffer(out, 1, &buffer);
    return STOA_OK;
}

static stoa_status fill_column(const struct flush *flush, int32_t column, const stoa_place *places,
                               int64_t count, struct ArrowArray *out, stoa_error *err) {
    const int64_t pieces = flush->rows.piece_count;
    return flush->values[column] != NULL
               ? fill_plain(flush, column, places, count, out, err)
               : stoa_interleave_column(flush->layout, flush->pool, column,
                                        flush->sources + column * pieces, (int32_t)pieces, places,
                                        count, out, err);
}

static stoa_status fill_stripe(void *user, stoa_output_rows *out, stoa_error *err) {
    const struct stripe *stripe = user;
    const struct flush *flush = stripe->flush;
    const stoa_place *places = flush->rows.places + stripe->first;
    const int32_t columns = flush->layout->schema->root.child_count;
    STOA_TRY(fill_keys(flush, places, stripe->count, &out->keys, err));
    STOA_TRY(fill_versions(flush, places, stripe->count, out, err));
    STOA_TRY(stoa_arrow_array_init(flush->pool, 1, columns, false, &out->batch, err));
    out->batch.length = stripe->count;
    for (int32_t i = 0; i < columns; i++) {
        if (flush->layout->column_nodes[i] >= 0) {
            STOA_TRY(fill_column(flush, i, places, stripe->count, out->batch.children[i], err));
        }
    }
    return STOA_OK;
}

/* ---- The flush ------------------------------------------------------------------------------- */

/* The column of a piece; where rows came one by one and none is null, without its bitmap. */
static stoa_status list_source(struct flush *flush, const stoa_memtable_piece *piece,
                               int32_t column, stoa_interleave_source *out, stoa_error *err) {
    const stoa_memtable_rows *rows = stoa_memtable_holder_of(piece)->rows;
    const struct ArrowArray *array = piece->batch.children[column];
    void *memory = NULL;
    if (rows != NULL && array->null_count < 0 && !rows->columns[column].has_nulls) {
        STOA_TRY(stoa_arena_allocate_array(&flush->arena, 1, sizeof *array, &memory, err));
        struct ArrowArray *copy = memory;
        *copy = *array;
        copy->null_count = 0;
        array = copy;
    }
    *out = (stoa_interleave_source){array, array->offset + piece->batch.offset};
    return STOA_OK;
}

/* Values of one width, of which none is null. */
static bool has_plain_values(const struct flush *flush, int32_t column) {
    const int32_t node = flush->layout->column_nodes[column];
    const stoa_interleave_source *sources = flush->sources + column * flush->rows.piece_count;
    if (node < 0 || flush->layout->nodes[node].type->child_count > 0 ||
        flush->layout->nodes[node].value_segment < 0 ||
        flush->layout->nodes[node].values.values == STOA_SEGMENT_BITS ||
        flush->layout->nodes[node].values.value_bytes == 0) {
        return false;
    }
    for (int64_t i = 0; i < flush->rows.piece_count; i++) {
        const struct ArrowArray *array = sources[i].array;
        if (array->null_count != 0 && array->buffers[0] != NULL) {
            return false;
        }
    }
    return true;
}

static stoa_status list_values(struct flush *flush, stoa_error *err) {
    const int64_t pieces = flush->rows.piece_count;
    const int32_t columns = flush->layout->schema->root.child_count;
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate_array(&flush->arena, (size_t)columns, sizeof *flush->values,
                                       &memory, err));
    flush->values = memory;
    for (int32_t column = 0; column < columns; column++) {
        flush->values[column] = NULL;
        if (!has_plain_values(flush, column)) {
            continue;
        }
        STOA_TRY(stoa_arena_allocate_array(&flush->arena, (size_t)pieces, sizeof(uint8_t *),
                                           &memory, err));
        const size_t width =
            (size_t)flush->layout->nodes[flush->layout->column_nodes[column]].values.value_bytes;
        flush->values[column] = memory;
        for (int64_t i = 0; i < pieces; i++) {
            const stoa_interleave_source *source = &flush->sources[column * pieces + i];
            const uint8_t *values = source->array->buffers[1];
            flush->values[column][i] = values == NULL ? NULL : values + (size_t)source->at * width;
        }
    }
    return STOA_OK;
}

static struct versions versions_of(const stoa_memtable_piece *piece) {
    const stoa_memtable_rows *rows = stoa_memtable_holder_of(piece)->rows;
    struct versions versions = {.first_sequence = piece->first_sequence,
                                .sequences = piece->sequences,
                                .operations = piece->operations,
                                .operation = piece->operation};
    if (rows != NULL && !rows->has_gaps) {
        versions.first_sequence = rows->sequences[0];
        versions.sequences = NULL;
    }
    if (rows != NULL && !rows->is_mixed) {
        versions.operation = (stoa_operation)rows->operations[0];
        versions.operations = NULL;
    }
    return versions;
}

static stoa_status list_pieces(struct flush *flush, stoa_error *err) {
    const int64_t pieces = flush->rows.piece_count;
    const int32_t columns = flush->layout->schema->root.child_count;
    void *sources = NULL, *versions = NULL;
    STOA_TRY(stoa_arena_allocate_array(&flush->arena, (size_t)(columns * pieces),
                                       sizeof *flush->sources, &sources, err));
    STOA_TRY(stoa_arena_allocate_array(&flush->arena, (size_t)pieces, sizeof *flush->versions,
                                       &versions, err));
    flush->sources = sources;
    flush->versions = versions;
    for (int64_t i = 0; i < pieces; i++) {
        const stoa_memtable_piece *piece = flush->rows.pieces[i];
        flush->versions[i] = versions_of(piece);
        for (int32_t column = 0; column < columns; column++) {
            STOA_TRY(list_source(flush, piece, column, &flush->sources[column * pieces + i], err));
        }
    }
    return list_values(flush, err);
}

static stoa_status list_stripes(struct flush *flush, stoa_error *err) {
    const int64_t rows = flush->rows.count;
    const int64_t count = (rows + STOA_STRIPE_ROWS - 1) / STOA_STRIPE_ROWS;
    void *memory = NULL;
    STOA_TRY(
        stoa_pool_allocate_array(flush->pool, (size_t)count, sizeof *flush->stripes, &memory, err));
    flush->stripes = memory;
    flush->stripe_count = count;
    for (int64_t i = 0; i < count; i++) {
        const int64_t first = i * STOA_STRIPE_ROWS;
        const int64_t left = rows - first;
        flush->stripes[i] = (struct stripe){flush, first,
                                            left < STOA_STRIPE_ROWS ? left : STOA_STRIPE_ROWS};
    }
    return STOA_OK;
}

static void release(struct flush *flush) {
    if (flush->stripes != NULL) {
        stoa_pool_free(flush->pool, flush->stripes,
                       (size_t)flush->stripe_count * sizeof *flush->stripes);
    }
    stoa_arena_release(&flush->arena);
    stoa_flush_rows_release(&flush->rows);
}

static stoa_status add_ranges(stoa_output *output, const stoa_memtable *table, stoa_pool *pool,
                              stoa_error *err) {
    stoa_range_set ranges = {.pool = pool};
    stoa_status status = stoa_memtable_ranges(table, &ranges, err);
    for (int64_t i = 0; i < ranges.count && status == STOA_OK; i++) {
        status = stoa_output_add_range(output, &ranges.ranges[i], err);
    }
    stoa_range_set_release(&ranges);
    return status;
}

/* The first file, which is the only one. */
static stoa_status write(const struct flush *flush, stoa_memtable *const *memtables, int32_t count,
                         const stoa_flush_options *options, stoa_table_file **out,
                         stoa_error *err) {
    const stoa_output_options output_options = {
        .context = options->context,
        .file_systems = options->file_systems,
        .directory = options->directory,
        .definition = options->definition,
        .rows = flush->layout,
        .priority = STOA_FOREGROUND, /* writers may wait for the memory */
        .new_file = options->new_file,
        .new_file_user = options->new_file_user,
    };
    stoa_output *output = NULL;
    stoa_table_file *const *files = NULL;
    int64_t file_count = 0;
    STOA_TRY(stoa_output_create(&output_options, &output, err));
    stoa_status status = STOA_OK;
    for (int32_t i = 0; i < count; i++) {
        STOA_CHECK(add_ranges(output, memtables[i], flush->pool, err));
    }
    for (int64_t i = 0; i < flush->stripe_count; i++) {
        const stoa_output_source source = {.fill = fill_stripe, .user = &flush->stripes[i]};
        STOA_CHECK(stoa_output_add(output, &source, err));
    }
    STOA_CHECK(stoa_output_finish(output, &files, &file_count, err));
    *out = file_count == 0 ? NULL : stoa_table_file_retain(files[0]);

done:
    stoa_output_close(output);
    return status;
}

stoa_status stoa_flush_run(stoa_memtable *const *memtables, int32_t count,
                           const stoa_flush_options *options, stoa_table_file **out,
                           stoa_error *err) {
    stoa_pool *pool = options->context.pool;
    struct flush flush = {.pool = pool, .layout = memtables[0]->layout, .is_bulk = options->is_bulk};
    stoa_status status = STOA_OK;
    *out = NULL;
    stoa_arena_init(&flush.arena, pool);
    STOA_CHECK(stoa_flush_rows_init(&flush.rows, pool, memtables, count, options->snapshots,
                                    options->snapshot_count, err));
    STOA_CHECK(list_pieces(&flush, err));
    STOA_CHECK(list_stripes(&flush, err));
    STOA_CHECK(write(&flush, memtables, count, options, out, err));

done:
    release(&flush);
    return status;
}
