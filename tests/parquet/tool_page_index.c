/* Prints what a Parquet file's footer and page index say of each column chunk, a line of JSON each, for
 * an independent decoder to compare, and asks its bloom filters.
 *
 *     tool_parquet_page_index IN.parquet [PLAIN-VALUE-AS-HEX …]
 *
 * Ends with the status's number; the error's words go to standard error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parquet/bloom_filter.h"
#include "parquet/page_index.h"

static void print_hex(const char *before, const uint8_t *bytes, size_t size) {
    (void)printf("%s", before);
    if (bytes == NULL) {
        (void)printf("null");
        return;
    }
    (void)printf("\"");
    for (size_t i = 0; i < size; i++) {
        (void)printf("%02x", bytes[i]);
    }
    (void)printf("\"");
}

static void print_bounds(const char *name, const stoa_page_bound *bounds, int32_t count) {
    (void)printf(", \"%s\": [", name);
    for (int32_t i = 0; i < count; i++) {
        print_hex(i > 0 ? ", " : "", bounds[i].bytes == NULL ? (const uint8_t *)"" : bounds[i].bytes,
                  bounds[i].size);
    }
    (void)printf("]");
}

static void print_counts(const char *name, const int64_t *counts, int32_t count) {
    if (counts == NULL) {
        return;
    }
    (void)printf(", \"%s\": [", name);
    for (int32_t i = 0; i < count; i++) {
        (void)printf("%s%" PRId64, i > 0 ? ", " : "", counts[i]);
    }
    (void)printf("]");
}

static void print_index(const stoa_page_index *index) {
    const int32_t count = index->page_count;
    if (index->locations != NULL) {
        (void)printf(", \"locations\": [");
        for (int32_t i = 0; i < count; i++) {
            const stoa_page_location *page = &index->locations[i];
            (void)printf("%s[%" PRIu64 ", %" PRIu32 ", %" PRId64 "]", i > 0 ? ", " : "",
                         page->offset, page->bytes, page->first_row);
        }
        (void)printf("]");
        print_counts("byte_array_bytes", index->byte_array_bytes, count);
    }
    if (index->all_null != NULL) {
        (void)printf(", \"all_null\": [");
        for (int32_t i = 0; i < count; i++) {
            (void)printf("%s%s", i > 0 ? ", " : "", index->all_null[i] ? "true" : "false");
        }
        (void)printf("]");
        print_bounds("min", index->min, count);
        print_bounds("max", index->max, count);
        (void)printf(", \"boundary_order\": %" PRId32, index->boundary_order);
        print_counts("null_counts", index->null_counts, count);
        print_counts("nan_counts", index->nan_counts, count);
    }
}

static void print_footer_fields(const stoa_parquet_footer *footer, int32_t group, int32_t leaf) {
    const stoa_parquet_column *column = &footer->groups[group].columns[leaf];
    (void)printf("{\"group\": %" PRId32 ", \"leaf\": %" PRId32, group, leaf);
    if (column->has_bounds) {
        const stoa_parquet_bounds *bounds = &column->bounds;
        print_hex(", \"chunk_min\": ", bounds->min, bounds->min_size);
        print_hex(", \"chunk_max\": ", bounds->max, bounds->max_size);
        (void)printf(", \"null_count\": %" PRId64 ", \"distinct_count\": %" PRId64
                     ", \"nan_count\": %" PRId64 ", \"ordered\": %s", bounds->null_count,
                     bounds->distinct_count, bounds->nan_count,
                     stoa_parquet_bounds_are_ordered(footer, leaf, bounds) ? "true" : "false");
    }
    (void)printf(", \"encoding_counts\": [");
    for (int32_t i = 0; i < column->encoding_count_count; i++) {
        const stoa_parquet_encoding_count *item = &column->encoding_counts[i];
        (void)printf("%s[%" PRId32 ", %" PRId32 ", %" PRId32 "]", i > 0 ? ", " : "",
                     item->page_kind, item->encoding, item->page_count);
    }
    (void)printf("], \"sizes\": %" PRId64 ", \"sorting\": [", column->byte_array_bytes);
    for (int32_t i = 0; i < footer->groups[group].sorting_count; i++) {
        const stoa_parquet_sorting *sorting = &footer->groups[group].sorting[i];
        (void)printf("%s[%" PRId32 ", %s, %s]", i > 0 ? ", " : "", sorting->leaf,
                     sorting->descending ? "true" : "false",
                     sorting->nulls_first ? "true" : "false");
    }
    (void)printf("], \"metadata\": %" PRId32, column->pair_count);
}

static void print_bloom(const stoa_bloom_filter *filter, char **values, int count) {
    if (filter->blocks == NULL) {
        return;
    }
    (void)printf(", \"bloom_blocks\": %zu, \"bloom_has\": [", filter->block_count);
    for (int i = 0; i < count; i++) {
        uint8_t value[256];
        size_t size = 0;
        for (const char *at = values[i]; at[0] != '\0' && size < sizeof value; at += 2) {
            const char pair[3] = {at[0], at[1], '\0'};
            value[size++] = (uint8_t)strtoul(pair, NULL, 16);
        }
        (void)printf("%s%s", i > 0 ? ", " : "",
                     stoa_bloom_may_contain(filter, stoa_bloom_hash(value, size)) ? "true"
                                                                                  : "false");
    }
    (void)printf("]");
}

static stoa_status print_chunk(stoa_file *file, const stoa_parquet_footer *footer, int32_t group,
                               int32_t leaf, char **values, int count, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_arena arena;
    stoa_page_index index;
    stoa_bloom_filter filter;
    stoa_arena_init(&arena, footer->arena.pool);
    STOA_CHECK(stoa_page_index_read(file, footer, group, leaf, &arena, &index, err));
    STOA_CHECK(stoa_bloom_filter_read(file, footer, group, leaf, &arena, &filter, err));
    print_footer_fields(footer, group, leaf);
    print_index(&index);
    print_bloom(&filter, values, count);
    (void)printf("}\n");

done:
    stoa_arena_release(&arena);
    return status;
}

static stoa_status print_file(stoa_file *file, const stoa_context *context, char **values,
                              int count, stoa_error *err) {
    stoa_parquet_footer footer;
    stoa_status status = stoa_parquet_footer_read(context, file, NULL, &footer, err);
    for (int32_t g = 0; status == STOA_OK && g < footer.group_count; g++) {
        for (int32_t i = 0; status == STOA_OK && i < footer.leaf_count; i++) {
            status = print_chunk(file, &footer, g, i, values, count, err);
        }
    }
    stoa_parquet_footer_release(&footer);
    return status;
}

int main(int argc, char **argv) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    stoa_file *file = NULL;
    if (argc < 2) {
        (void)fprintf(stderr, "expected a file\n");
        return 2;
    }
    stoa_status status = stoa_pool_create((size_t)1 << 30, NULL, &pool, &err);
    const stoa_context context = {.pool = pool};
    if (status == STOA_OK) {
        status = stoa_fs_registry_create(pool, &registry, &err);
    }
    if (status == STOA_OK) {
        status = stoa_vfs_open(registry, argv[1], STOA_OPEN_READ, &context, &file, &err);
    }
    if (status == STOA_OK) {
        status = print_file(file, &context, argv + 2, argc - 2, &err);
    }
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
    }
    stoa_file_close(file);
    stoa_fs_registry_close(registry);
    stoa_pool_close(pool);
    return (int)status;
}
