/* Page indexes and bloom filters of any bytes: what is let through holds together.
 *
 * Input: physical type, type length, definition level (a byte each), one byte unused, then the rows of
 * the row group (4 bytes), the bytes of the offset index and of the column index (2 each); the offset
 * index, the column index, and the bloom filter up to the end. */
#include "base/bytes.h"
#include "bytes_file.h"
#include "parquet/bloom_filter.h"
#include "parquet/page_index.h"

enum { HEAD_BYTES = 12, CHUNK_BYTES = 1 << 20 };

static void check_index(const stoa_page_index *index, const stoa_parquet_element *element,
                        int64_t row_count) {
    const size_t width = stoa_parquet_plain_width(element);
    uint64_t end = STOA_PARQUET_MAGIC_BYTES;
    int64_t row = 0;
    for (int32_t i = 0; index->locations != NULL && i < index->page_count; i++) {
        const stoa_page_location *page = &index->locations[i];
        require(page->offset >= end && page->first_row >= row && page->first_row <= row_count);
        require(i > 0 || page->first_row == 0);
        end = page->offset + page->bytes;
        row = page->first_row;
    }
    require(end <= STOA_PARQUET_MAGIC_BYTES + CHUNK_BYTES);
    for (int32_t i = 0; index->all_null != NULL && i < index->page_count; i++) {
        const stoa_page_bound *bounds[] = {&index->min[i], &index->max[i]};
        for (int j = 0; j < 2 && !index->all_null[i]; j++) {
            unsigned sum = 0;
            for (size_t k = 0; k < bounds[j]->size; k++) {
                sum += bounds[j]->bytes[k];
            }
            require(sum <= 255 * bounds[j]->size);
            require(width == 0 || bounds[j]->size <= width);
        }
    }
}

static void read_all(stoa_file *file, const stoa_parquet_footer *footer, stoa_pool *pool) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_arena arena;
    stoa_page_index index;
    stoa_bloom_filter filter;
    stoa_arena_init(&arena, pool);
    if (stoa_page_index_read(file, footer, 0, 0, &arena, &index, &err) == STOA_OK) {
        check_index(&index, &footer->elements[0], footer->groups[0].row_count);
    }
    if (stoa_bloom_filter_read(file, footer, 0, 0, &arena, &filter, &err) == STOA_OK &&
        filter.blocks != NULL) {
        uint64_t state = 1;
        int found = 0;
        for (int i = 0; i < 64; i++) {
            found += stoa_bloom_may_contain(&filter, stoa_random_next(&state));
        }
        require(found <= 64);
    }
    stoa_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEAD_BYTES || stoa_parquet_physical_name(data[0]) == NULL) {
        return 0;
    }
    const int64_t offset_index = stoa_load_u16(data + 8);
    const int64_t column_index = stoa_load_u16(data + 10);
    const stoa_parquet_element element = {.physical = data[0], .type_length = data[1]};
    const stoa_parquet_leaf leaf = {.name = "x", .definition_max = data[2] & 1};
    const stoa_parquet_column column = {.offset = STOA_PARQUET_MAGIC_BYTES,
                                        .compressed_bytes = CHUNK_BYTES,
                                        .offset_index = {HEAD_BYTES, offset_index},
                                        .column_index = {HEAD_BYTES + offset_index, column_index},
                                        .bloom = {HEAD_BYTES + offset_index + column_index, -1}};
    const stoa_parquet_group group = {.columns = &column, .row_count = stoa_load_u32(data + 4)};
    const stoa_parquet_footer footer = {.footer_offset = size,
                                        .elements = &element,
                                        .element_count = 1,
                                        .leaves = &leaf,
                                        .leaf_count = 1,
                                        .groups = &group,
                                        .group_count = 1};
    struct bytes_file input = {data, size};
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    require(stoa_pool_create((size_t)64 << 20, NULL, &pool, &err) == STOA_OK);
    char name[] = "input";
    stoa_file file = {.operations = &bytes_file_operations,
                      .state = &input,
                      .pool = pool,
                      .uri = name};
    read_all(&file, &footer, pool);
    require(stoa_pool_used(pool) == 0);
    stoa_pool_close(pool);
    return 0;
}
