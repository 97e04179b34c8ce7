/* SSTables of any bytes: what opens is searched, got from, read and verified.
 *
 * Input: a byte that says which schema the file is opened with (bit 0) and whether its checksums are made
 * right first (bit 1), so that what is behind them is reached; the file. */
#include "base/hash.h"
#include "bytes_file.h"
#include "lsm/sstable_format.h"

enum { POOL_BYTES = 64 << 20, KEYS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const SCHEMAS[] = {
    "k int not null, a long, b string, c double, d decimal(25, 3), e boolean, f uuid not null, "
    "g list<int>, h struct<x: int8, y: timestamp> not null, i unknown",
    "k string not null, l int not null, a float, b map<string, long>, c fixed[3]",
};

/* ---- Checksums ------------------------------------------------------------------------------- */

/* Those of the segments of every stripe that the directory names. */
static void mend_parts(uint8_t *bytes, size_t size, const stoa_sst_section *section,
                       const stoa_stripe_layout *layout) {
    const size_t zones = (size_t)layout->schema->root.child_count * sizeof(stoa_zone);
    const size_t parts = (size_t)layout->segment_count * sizeof(stoa_stripe_part);
    uint64_t at = section->offset;
    while (section->offset + section->size - at >= sizeof(stoa_sst_entry) + zones + parts) {
        stoa_sst_entry entry;
        memcpy(&entry, bytes + at, sizeof entry);
        for (int32_t i = 0; i < layout->segment_count; i++) {
            uint8_t *place = bytes + at + sizeof entry + zones +
                             (size_t)i * sizeof(stoa_stripe_part);
            stoa_stripe_part part;
            memcpy(&part, place, sizeof part);
            const uint64_t begin = entry.offset + part.offset;
            if (entry.offset <= size && begin <= size && part.size <= size - begin) {
                part.crc = stoa_crc32c(0, bytes + begin, part.size);
                memcpy(place, &part, sizeof part);
            }
        }
        const uint64_t keys = (uint64_t)entry.first_key_size + entry.last_key_size;
        at += sizeof entry + (zones + parts + keys + 7) / 8 * 8;
        if (at > section->offset + section->size) {
            return;
        }
    }
}

static void mend(uint8_t *bytes, size_t size, const stoa_stripe_layout *layout) {
    stoa_sst_footer footer;
    stoa_sst_section section;
    if (size < sizeof footer) {
        return;
    }
    const uint64_t end = size - sizeof footer;
    memcpy(&footer, bytes + end, sizeof footer);
    if (footer.sections_offset > end ||
        footer.section_count > (end - footer.sections_offset) / sizeof section) {
        return;
    }
    for (uint32_t i = 0; i < footer.section_count; i++) {
        uint8_t *place = bytes + footer.sections_offset + i * sizeof section;
        memcpy(&section, place, sizeof section);
        if (section.offset <= end && section.size <= end - section.offset) {
            if (section.kind == STOA_SST_DIRECTORY) {
                mend_parts(bytes, size, &section, layout);
            }
            section.crc = stoa_crc32c(0, bytes + section.offset, (size_t)section.size);
            memcpy(place, &section, sizeof section);
        }
    }
    footer.sections_crc = stoa_crc32c(0, bytes + footer.sections_offset,
                                      footer.section_count * sizeof section);
    footer.crc = stoa_crc32c(0, &footer, offsetof(stoa_sst_footer, crc));
    memcpy(bytes + end, &footer, sizeof footer);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool is_flat(const stoa_stripe_layout *layout, int32_t column) {
    const int32_t node = layout->column_nodes[column];
    return node >= 0 && layout->schema->root.children[column].type.child_count == 0;
}

/* Reads each byte, so that one outside is noticed. */
static void read_bytes(const uint8_t *bytes, size_t size) {
    size_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum += bytes[i];
    }
    require(sum <= size * UINT8_MAX);
}

/* All versions of a key, their sequence numbers and cells. */
static void get(stoa_sst *table, const stoa_stripe_layout *layout, const uint8_t *bytes,
                size_t size) {
    const stoa_sst_key key = stoa_sst_key_of(layout->key, bytes, size);
    const int64_t rows = stoa_sst_summary_of(table)->row_count;
    stoa_sst_version version;
    uint64_t sequence;
    int64_t found = 0;
    stoa_status status = stoa_sst_get(table, &key, UINT64_MAX, NULL, &version, NULL);
    while (status == STOA_OK && version.is_found) {
        require(++found <= rows && version.operation <= STOA_OPERATION_MERGE);
        for (int32_t c = 0; c < layout->schema->root.child_count; c++) {
            stoa_cell cell;
            stoa_cell_storage storage;
            if (is_flat(layout, c) &&
                stoa_sst_cells(table, &version.position, &c, 1, &cell, &storage, NULL) == STOA_OK &&
                !cell.is_null && cell.size > 0) {
                read_bytes(cell.bytes, cell.size);
            }
        }
        status = stoa_sst_sequence(table, &version.position, &sequence, NULL);
        if (status == STOA_OK) {
            status = stoa_sst_before(table, &key, &version, NULL);
        }
    }
}

static void get_keys(stoa_sst *table, const stoa_stripe_layout *layout, const stoa_stripe *stripe,
                     stoa_pool *pool) {
    const int64_t count = stripe->row_count < KEYS_MAX ? stripe->row_count : KEYS_MAX;
    const stoa_stripe_selection some = {NULL, 0, count};
    stoa_keys keys;
    stoa_sst_position position;
    stoa_keys_init(&keys, pool);
    if (stoa_stripe_keys(stripe, &some, &keys, NULL) == STOA_OK) {
        const stoa_keys_view view = stoa_keys_view_of(&keys);
        for (int64_t i = 0; i < view.count; i++) {
            uint8_t number[8];
            size_t size;
            const uint8_t *key = stoa_keys_bytes(layout->key, &view, i, number, &size);
            get(table, layout, key, size);
            STOA_IGNORE(stoa_sst_find(table, key, size / 2, &position, NULL)); /* any answer */
        }
    }
    stoa_keys_release(&keys);
}

static void read_all(stoa_sst *table, const stoa_stripe_layout *layout, stoa_pool *pool) {
    stoa_buffer first, last;
    stoa_buffer_init(&first, pool);
    stoa_buffer_init(&last, pool);
    for (int64_t i = 0; i < stoa_sst_summary_of(table)->stripe_count; i++) {
        const stoa_stripe *stripe = stoa_sst_stripe_at(table, i);
        const stoa_stripe_selection all = {NULL, 0, stripe->row_count};
        for (int32_t c = 0; c < layout->schema->root.child_count; c++) {
            struct ArrowArray column;
            if (layout->column_nodes[c] >= 0 &&
                stoa_stripe_column(stripe, pool, c, &all, &column, NULL) == STOA_OK) {
                require(column.length == stripe->row_count);
                column.release(&column);
            }
        }
        get_keys(table, layout, stripe, pool);
    }
    const uint64_t cover = stoa_range_set_cover(stoa_sst_ranges(table), (const uint8_t *)"key", 3,
                                                UINT64_MAX);
    require(cover <= stoa_sst_summary_of(table)->sequence_max);
    if (stoa_sst_bounds(table, &first, &last, NULL) == STOA_OK) {
        require(first.size <= STOA_KEY_BYTES_MAX && last.size <= STOA_KEY_BYTES_MAX);
    }
    STOA_IGNORE(stoa_sst_verify(table, NULL)); /* any answer */
    stoa_buffer_release(&first);
    stoa_buffer_release(&last);
}

static void open_all(struct bytes_file *input, const stoa_stripe_layout *layout, stoa_pool *pool) {
    const stoa_context context = {.pool = pool};
    stoa_file *file;
    stoa_sst *table;
    stoa_error err = STOA_ERROR_NONE;
    require(stoa_file_create(pool, "input", &bytes_file_operations, input, &file, &err) == STOA_OK);
    if (stoa_sst_open(&context, file, layout, &table, &err) == STOA_OK) {
        read_all(table, layout, pool);
        stoa_sst_close(table);
    } else {
        require(err.message[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const stoa_key_column columns[] = {{1, false}, {2, true}};
    const stoa_schema *schema;
    stoa_key_format key;
    stoa_stripe_layout layout;
    stoa_arena arena;
    stoa_pool *pool;
    void *copy;
    if (size == 0) {
        return 0;
    }
    require(stoa_pool_create(POOL_BYTES, NULL, &pool, NULL) == STOA_OK);
    require(stoa_schema_parse(pool, SCHEMAS[data[0] & 1], &schema, NULL) == STOA_OK);
    require(stoa_key_format_init(&key, schema, columns, 1 + (data[0] & 1), NULL) == STOA_OK);
    stoa_arena_init(&arena, pool);
    require(stoa_stripe_layout_init(&layout, &arena, schema, &key, NULL) == STOA_OK);
    require(stoa_pool_allocate(pool, size, &copy, NULL) == STOA_OK);
    struct bytes_file input = {copy, size - 1};
    memcpy(copy, data + 1, size - 1);
    if ((data[0] & 2) != 0) {
        mend(copy, size - 1, &layout);
    }
    open_all(&input, &layout, pool);
    stoa_pool_free(pool, copy, size);
    stoa_arena_release(&arena);
    stoa_schema_close(schema);
    require(stoa_pool_used(pool) == 0);
    stoa_pool_close(pool);
    return 0;
}
