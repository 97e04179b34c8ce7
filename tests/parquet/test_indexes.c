/* Page indexes that do not hold together, bloom filters against their values, and rows that are not in
 * the order that they were said to have. */
#include "base/hash.h"
#include "parquet/bloom_build.h"
#include "parquet/bloom_filter.h"
#include "parquet/levels.h"
#include "parquet/page_index.h"
#include "parquet/verify.h"
#include "parquet/writer.h"
#include "rows.h"

enum { CHUNK_AT = 4, CHUNK_BYTES = 1000, ROWS = 100 };

/* ---- Page indexes by hand -------------------------------------------------------------------- */

struct page {
    int64_t offset;
    int32_t bytes;
    int64_t first_row;
};

struct index {
    struct page pages[3];
    int page_count;
    int null_pages; /* items of each list of the column index */
    int bounds;
    int counts;
    size_t bound_bytes;
    int32_t order;
    int64_t null_count;
};

static const struct index WHOLE = {
    .pages = {{10, 100, 0}, {110, 200, 40}, {400, 50, 70}},
    .page_count = 3,
    .null_pages = 3,
    .bounds = 3,
    .counts = 3,
    .bound_bytes = 8,
    .order = STOA_PARQUET_ASCENDING,
};

static void put_offset_index(const struct index *index, stoa_buffer *out) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_thrift_writer writer;
    stoa_thrift_writer_init(&writer, out, &err);
    stoa_thrift_begin_list(&writer, 1, STOA_THRIFT_STRUCT, (size_t)index->page_count);
    for (int i = 0; i < index->page_count; i++) {
        stoa_thrift_item_struct(&writer);
        stoa_thrift_write_i64(&writer, 1, index->pages[i].offset);
        stoa_thrift_write_i32(&writer, 2, index->pages[i].bytes);
        stoa_thrift_write_i64(&writer, 3, index->pages[i].first_row);
        stoa_thrift_end_struct(&writer);
    }
    assert_ok(stoa_thrift_writer_finish(&writer), err);
}

static void put_column_index(const struct index *index, stoa_buffer *out) {
    static const uint8_t bound[16];
    stoa_error err = STOA_ERROR_NONE;
    stoa_thrift_writer writer;
    stoa_thrift_writer_init(&writer, out, &err);
    stoa_thrift_begin_list(&writer, 1, STOA_THRIFT_FALSE, (size_t)index->null_pages);
    for (int i = 0; i < index->null_pages; i++) {
        stoa_thrift_item_bool(&writer, false);
    }
    for (int16_t id = 2; id <= 3; id++) {
        stoa_thrift_begin_list(&writer, id, STOA_THRIFT_BINARY, (size_t)index->bounds);
        for (int i = 0; i < index->bounds; i++) {
            stoa_thrift_item_binary(&writer, bound, index->bound_bytes);
        }
    }
    stoa_thrift_write_i32(&writer, 4, index->order);
    stoa_thrift_begin_list(&writer, 5, STOA_THRIFT_I64, (size_t)index->counts);
    for (int i = 0; i < index->counts; i++) {
        stoa_thrift_item_i64(&writer, index->null_count);
    }
    assert_ok(stoa_thrift_writer_finish(&writer), err);
}

/* Reads the index as that of an INT64 column; the offset index is said to stand `shift` bytes on. */
static stoa_status read_index(stoa_pool *pool, const struct index *index, int64_t shift,
                              bool *out_has_column_index, stoa_error *err) {
    stoa_fs_registry *registry;
    stoa_file *file;
    stoa_buffer bytes;
    const stoa_context context = {.pool = pool};
    stoa_buffer_init(&bytes, pool);
    *err = (stoa_error)STOA_ERROR_NONE;
    assert_ok(stoa_buffer_append_text(&bytes, "PAR1", err), *err);
    put_offset_index(index, &bytes);
    const int64_t middle = (int64_t)bytes.size;
    put_column_index(index, &bytes);
    assert_ok(stoa_fs_registry_create(pool, &registry, err), *err);
    assert_ok(stoa_vfs_open(registry, "memory:/x", STOA_OPEN_REPLACE, &context, &file, err), *err);
    assert_ok(stoa_file_write(file, bytes.data, bytes.size, err), *err);
    assert_ok(stoa_file_sync(file, err), *err);
    stoa_file_close(file);

    const stoa_parquet_element element = {.physical = STOA_PARQUET_INT64};
    const stoa_parquet_leaf leaf = {.name = "a", .definition_max = 1};
    const stoa_parquet_column column = {
        .offset = CHUNK_AT,
        .compressed_bytes = CHUNK_BYTES,
        .offset_index = {4 + shift, middle - 4},
        .column_index = {middle, (int64_t)bytes.size - middle}};
    const stoa_parquet_group group = {.columns = &column, .row_count = ROWS};
    const stoa_parquet_footer footer = {.footer_offset = bytes.size,
                                        .elements = &element,
                                        .leaves = &leaf,
                                        .leaf_count = 1,
                                        .groups = &group};
    stoa_arena arena;
    stoa_page_index found;
    stoa_arena_init(&arena, pool);
    assert_ok(stoa_vfs_open(registry, "memory:/x", STOA_OPEN_READ, &context, &file, err), *err);
    const stoa_status status = stoa_page_index_read(file, &footer, 0, 0, &arena, &found, err);
    *out_has_column_index = status == STOA_OK && found.all_null != NULL;
    stoa_arena_release(&arena);
    stoa_file_close(file);
    stoa_fs_registry_close(registry);
    stoa_buffer_release(&bytes);
    return status;
}

static void indexes_that_lie_are_refused(void **state) {
    stoa_pool *pool = *state;
    stoa_error err;
    bool has_column_index;
    assert_ok(read_index(pool, &WHOLE, 0, &has_column_index, &err), err);
    assert_true(has_column_index);

    struct index index = WHOLE;
    index.pages[1].offset = 109; /* within the page before */
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT,
                 "pages in order", err);
    index = WHOLE;
    index.pages[2].bytes = CHUNK_BYTES; /* behind its chunk */
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT,
                 "within their chunk", err);
    index = WHOLE;
    index.pages[0].offset = CHUNK_AT - 1;
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT,
                 "within their chunk", err);
    index = WHOLE;
    index.pages[2].bytes = -1;
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT, "size", err);
    index = WHOLE;
    index.pages[2].first_row = 39;
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT,
                 "first rows in order", err);
    index.pages[2].first_row = ROWS + 1;
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT,
                 "within the row group", err);
    index = WHOLE;
    index.pages[0].first_row = 1;
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT, "from 0", err);

    index = WHOLE;
    index.null_pages = 2;
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT,
                 "as many items", err);
    index = WHOLE;
    index.bounds = 4;
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT,
                 "as many items", err);
    index = WHOLE;
    index.counts = 0;
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT,
                 "as many items", err);
    for (int pages = 0; pages < 3; pages++) { /* both hold together, but not with each other */
        index = WHOLE;
        index.page_count = pages;
        assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT,
                     "as many items", err);
        index = WHOLE;
        index.null_pages = index.bounds = index.counts = pages;
        assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT,
                     "as many items", err);
    }
    index = WHOLE;
    index.bound_bytes = 4;
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT, "wide", err);
    index = WHOLE;
    index.order = 3;
    assert_fails(read_index(pool, &index, 0, &has_column_index, &err), STOA_CORRUPT,
                 "boundary order", err);
    assert_fails(read_index(pool, &WHOLE, 1 << 20, &has_column_index, &err), STOA_CORRUPT,
                 "before the footer", err);
}

static void an_index_that_knows_nothing_is_left_out(void **state) {
    stoa_pool *pool = *state;
    stoa_error err;
    bool has_column_index;
    struct index index = WHOLE;
    index.null_count = -1;
    assert_ok(read_index(pool, &index, 0, &has_column_index, &err), err);
    assert_false(has_column_index);
}

/* ---- Bloom filters --------------------------------------------------------------------------- */

static void hashes_are_those_of_the_specification(void **state) {
    (void)state;
    assert_true(stoa_xxhash64("", 0) == UINT64_C(0xEF46DB3751D8E999));
    assert_true(stoa_xxhash64("abc", 3) == UINT64_C(0x44BC2CF5AD770999));
}

/* Different values are few among many, so a filter is far smaller than for all of them. */
static void filters_hold_all_values_and_few_others(void **state) {
    stoa_pool *pool = *state;
    enum { COUNT = 20000 };
    static int64_t values[COUNT];
    static const stoa_field field = {.id = 1, .name = "a", .type = {.kind = STOA_TYPE_LONG}};
    const stoa_leaf leaf = {.field = &field, .value_class = STOA_LEAF_I64, .value_width = 8};
    static const int64_t distinct[] = {1, 10, 1000, COUNT};
    const double rates[] = {0.1, 0.01, 0.001};
    size_t before = 0;
    for (int r = 0; r < 3; r++) {
        for (int d = 0; d < 4; d++) {
            stoa_error err = STOA_ERROR_NONE;
            stoa_buffer out;
            stoa_buffer_init(&out, pool);
            for (int64_t i = 0; i < COUNT; i++) {
                values[i] = i % distinct[d] * 7919;
            }
            assert_ok(stoa_bloom_build(&leaf, values, COUNT, rates[r], 1 << 20, &out, &err), err);
            size_t bytes = STOA_BLOOM_BLOCK_BYTES;
            while (bytes * 2 <= out.size) {
                bytes *= 2;
            }
            const size_t header = out.size - bytes;
            assert_true(header > 0 && header < 32);
            assert_true(d == 0 || bytes >= before);
            before = bytes;
            const stoa_bloom_filter filter = {out.data + header, bytes / STOA_BLOOM_BLOCK_BYTES};
            for (int64_t i = 0; i < COUNT; i++) {
                assert_true(stoa_bloom_may_contain(&filter, stoa_bloom_hash(&values[i], 8)));
            }
            int wrong = 0;
            for (int64_t i = 0; i < COUNT; i++) {
                const int64_t other = -1 - i;
                wrong += stoa_bloom_may_contain(&filter, stoa_bloom_hash(&other, 8));
            }
            assert_true(wrong <= (int)(COUNT * rates[r] * 1.5) + 20);
            stoa_buffer_release(&out);
        }
    }
}

/* ---- Options --------------------------------------------------------------------------------- */

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_context context;
    const stoa_schema *schema;
};

static void open_world(struct world *world, const char *schema) {
    stoa_error err = STOA_ERROR_NONE;
    *world = (struct world){.pool = support_pool_open()};
    world->context.pool = world->pool;
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
    assert_ok(stoa_schema_parse(world->pool, schema, &world->schema, &err), err);
}

static void close_world(struct world *world) {
    stoa_schema_close(world->schema);
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
}

/* Rows of a batch of one or two long columns; a value of INT64_MIN is null. */
static stoa_status write_longs(struct world *world, const stoa_parquet_options *options,
                               const int64_t *a, const int64_t *b, int64_t count,
                               stoa_error *err) {
    stoa_file *file = NULL;
    stoa_parquet_writer *writer = NULL;
    stoa_status status = STOA_OK;
    stoa_parquet_summary summary = {0};
    struct ArrowArray batch;
    const int64_t *columns[] = {a, b};
    const int64_t column_count = world->schema->root.child_count;
    *err = (stoa_error)STOA_ERROR_NONE;
    rows_make(&batch, count, 0, 1, column_count);
    for (int64_t c = 0; c < column_count; c++) {
        struct ArrowArray *column = batch.children[c];
        rows_make(column, count, 0, 2, 0);
        uint8_t *bits = rows_allocate((size_t)count / 8 + 1);
        int64_t *data = rows_allocate((size_t)count * 8);
        for (int64_t i = 0; i < count; i++) {
            data[i] = columns[c][i];
            bits[i / 8] = (uint8_t)(bits[i / 8] | (data[i] != INT64_MIN) << (i % 8));
        }
        column->buffers[0] = bits;
        column->buffers[1] = data;
    }
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_REPLACE, &world->context, &file,
                            err),
              *err);
    status = stoa_parquet_writer_create(&world->context, file, world->schema, options, &writer, err);
    if (status == STOA_OK) {
        status = stoa_parquet_writer_write(writer, &batch, err);
    }
    if (status == STOA_OK) {
        status = stoa_parquet_writer_finish(writer, &summary, err);
    }
    if (batch.release != NULL) {
        batch.release(&batch);
    }
    stoa_parquet_summary_release(&summary);
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
    return status;
}

static const int64_t NONE = INT64_MIN;

static void a_wrong_order_is_refused(void **state) {
    (void)state;
    struct world world;
    stoa_error err;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    stoa_parquet_sorting_option sorting[] = {{1, false, true}, {2, true, false}};
    open_world(&world, "a long, b long");
    options.sorting = sorting;
    options.sorting_count = 2;
    const int64_t a[] = {NONE, NONE, 1, 1, 1, 2};
    const int64_t b[] = {5, NONE, 9, 9, NONE, 100};
    assert_ok(write_longs(&world, &options, a, b, 6, &err), err);

    stoa_file *file;
    stoa_parquet_footer footer;
    assert_ok(stoa_vfs_open(world.registry, "memory:/x", STOA_OPEN_READ, &world.context, &file,
                            &err),
              err);
    assert_ok(stoa_parquet_verify(&world.context, file, NULL, &err), err);
    assert_ok(stoa_parquet_footer_read(&world.context, file, NULL, &footer, &err), err);
    const stoa_parquet_group *group = &footer.groups[0];
    assert_int_equal(group->sorting_count, 2);
    assert_true(group->sorting[0].leaf == 0 && !group->sorting[0].descending);
    assert_true(group->sorting[0].nulls_first && group->sorting[1].descending);
    stoa_parquet_footer_release(&footer);
    stoa_file_close(file);

    const int64_t falls[] = {1, 2, 3, 2, 5, 6};
    assert_fails(write_longs(&world, &options, falls, b, 6, &err), STOA_INVALID,
                 "row 3, column 'a'", err);
    const int64_t second[] = {5, NONE, 9, 10, NONE, 100};
    assert_fails(write_longs(&world, &options, a, second, 6, &err), STOA_INVALID,
                 "row 3, column 'b'", err);
    sorting[0].nulls_first = false;
    assert_fails(write_longs(&world, &options, a, b, 6, &err), STOA_INVALID, "row 2, column 'a'",
                 err);
    options.sorting_count = 0;
    assert_ok(write_longs(&world, &options, falls, b, 6, &err), err);
    options.sorting_count = 1;
    options.row_group_rows = 3; /* an order within row groups is all that is claimed */
    assert_ok(write_longs(&world, &options, falls, b, 6, &err), err);
    close_world(&world);
}

static void options_that_name_no_column_are_refused(void **state) {
    (void)state;
    struct world world;
    stoa_error err;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    stoa_parquet_sorting_option sorting[] = {{1, false, true}, {1, false, true}};
    int32_t blooms[] = {2};
    open_world(&world, "a long, b boolean, c list<int>, d interval");
    stoa_file *file = NULL;
    stoa_parquet_writer *writer = NULL;
    assert_ok(stoa_vfs_open(world.registry, "memory:/x", STOA_OPEN_REPLACE, &world.context, &file,
                            &err),
              err);
#define REFUSED(words)                                                                             \
    do {                                                                                           \
        err = (stoa_error)STOA_ERROR_NONE;                                                         \
        assert_fails(stoa_parquet_writer_create(&world.context, file, world.schema, &options,      \
                                                &writer, &err),                                    \
                     STOA_INVALID, words, err);                                                    \
    } while (0)
    options.sorting = sorting;
    options.sorting_count = 2;
    REFUSED("comes twice");
    sorting[1].field_id = 99;
    REFUSED("found 99");
    sorting[1].field_id = 4; /* items of a list */
    REFUSED("no list");
    options.sorting_count = 0;
    options.bloom_fields = blooms;
    options.bloom_count = 1;
    REFUSED("boolean");
    blooms[0] = 99;
    REFUSED("found 99");
    blooms[0] = 1;
    options.bloom_rate = 1;
    REFUSED("bloom_rate");
    options.bloom_rate = 0.5;
    options.bloom_bytes = 31;
    REFUSED("bloom_bytes");
#undef REFUSED
    stoa_file_close(file);
    close_world(&world);
}

static int begin(void **state) {
    *state = support_pool_open();
    return 0;
}

static int end(void **state) {
    support_pool_close(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(indexes_that_lie_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(an_index_that_knows_nothing_is_left_out, begin, end),
        cmocka_unit_test(hashes_are_those_of_the_specification),
        cmocka_unit_test_setup_teardown(filters_hold_all_values_and_few_others, begin, end),
        cmocka_unit_test(a_wrong_order_is_refused),
        cmocka_unit_test(options_that_name_no_column_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
