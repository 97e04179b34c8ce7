#include "lsm/sstable.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "lsm/key_bytes.h"
#include "lsm/sstable_format.h"

/* A stripe and what the directory says of it. */
struct entry {
    stoa_stripe stripe;
    const stoa_zone *zones;
    const uint8_t *first_key;
    const uint8_t *last_key;
    uint32_t first_key_size;
    uint32_t last_key_size;
    uint64_t offset;
};

struct stoa_sst {
    stoa_context context;
    stoa_file *file;
    const stoa_stripe_layout *layout;
    const uint8_t *bytes;
    uint64_t size;
    bool is_mapped;
    stoa_buffer copy; /* of a file that cannot be mapped */
    stoa_arena arena;
    struct entry *entries;
    stoa_stripe_slot *slots;
    uint64_t
        *last_numbers; /* of keys that are numbers, a stripe each: searched before anything else */
    stoa_sst_summary summary;
};

/* ---- Opening --------------------------------------------------------------------------------- */

static stoa_status corrupt(const stoa_sst *table, uint64_t offset, const char *problem,
                           stoa_error *err) {
    stoa_fail(err, STOA_CORRUPT, "%s", problem);
    stoa_error_set_file(err, table->file->uri, (int64_t)offset);
    return STOA_CORRUPT;
}

static stoa_status take_bytes(stoa_sst *table, stoa_error *err) {
    const void *map;
    stoa_error ignored;
    if (stoa_file_map(table->file, &map, &table->size, &ignored) == STOA_OK) {
        table->bytes = map;
        table->is_mapped = true;
        return STOA_OK;
    }
    STOA_TRY(stoa_file_size(table->file, &table->size, err));
    if (table->size > SIZE_MAX / 2) {
        return stoa_fail(err, STOA_LIMIT, "expected a file that fits into memory");
    }
    STOA_TRY(stoa_buffer_reserve_exact(&table->copy, (size_t)table->size, err));
    STOA_TRY(stoa_file_read(table->file, 0, table->copy.data, (size_t)table->size, err));
    table->bytes = table->copy.data;
    return STOA_OK;
}

/* `size` bytes at `offset`, aligned, between the header and the footer. */
static bool lies_inside(const stoa_sst *table, uint64_t offset, uint64_t size) {
    const uint64_t end = table->size - sizeof(stoa_sst_footer);
    return offset % STOA_SST_ALIGNMENT == 0 && offset >= sizeof(stoa_sst_header) && offset <= end &&
           size <= end - offset;
}

static stoa_status read_footer(const stoa_sst *table, stoa_sst_footer *out, stoa_error *err) {
    stoa_sst_header header;
    if (table->size < sizeof header + sizeof *out) {
        return corrupt(table, table->size, "shorter than an SSTable", err);
    }
    const uint64_t at = table->size - sizeof *out;
    memcpy(&header, table->bytes, sizeof header);
    memcpy(out, table->bytes + at, sizeof *out);
    if (memcmp(header.magic, STOA_SST_MAGIC, sizeof header.magic) != 0 || header.zero != 0) {
        return corrupt(table, 0, "no SSTable: expected the magic " STOA_SST_MAGIC, err);
    }
    if (memcmp(out->magic, STOA_SST_MAGIC, sizeof out->magic) != 0) {
        return corrupt(table, at, "expected a footer: the file was cut, or its end is damaged",
                       err);
    }
    if (out->crc != stoa_crc32c(0, out, offsetof(stoa_sst_footer, crc))) {
        return corrupt(table, at, "the footer fails its checksum", err);
    }
    if (out->version != STOA_SST_VERSION || header.version != out->version) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "expected version %d of the format but found %" PRIu32, STOA_SST_VERSION,
                         out->version);
    }
    if (!lies_inside(table, out->directory_offset, out->directory_size) ||
        !lies_inside(table, out->about_offset, out->about_size)) {
        return corrupt(table, at, "the footer names places outside the file", err);
    }
    if (out->about_crc !=
        stoa_crc32c(0, table->bytes + out->about_offset, (size_t)out->about_size)) {
        return corrupt(table, out->about_offset, "the schema fails its checksum", err);
    }
    if (out->directory_crc !=
        stoa_crc32c(0, table->bytes + out->directory_offset, (size_t)out->directory_size)) {
        return corrupt(table, out->directory_offset, "the directory fails its checksum", err);
    }
    return STOA_OK;
}

static stoa_status check_schema(const stoa_sst *table, const char *json, size_t size,
                                stoa_error *err) {
    const stoa_schema *schema;
    STOA_TRY(stoa_schema_from_json(table->context.pool, json, size, &schema, err));
    const bool is_same = stoa_type_equal(&schema->root, &table->layout->schema->root, true);
    stoa_schema_close(schema);
    return is_same ? STOA_OK
                   : stoa_fail(err, STOA_INVALID, "the table has another schema than expected");
}

static stoa_status read_about(stoa_sst *table, const stoa_sst_footer *footer, stoa_error *err) {
    const stoa_stripe_layout *layout = table->layout;
    stoa_byte_reader reader = stoa_byte_reader_of(table->bytes + footer->about_offset,
                                                  (size_t)footer->about_size);
    stoa_sst_about about;
    if (!stoa_byte_reader_get(&reader, &about, sizeof about)) {
        return corrupt(table, footer->about_offset, "the schema ends early", err);
    }
    const uint8_t *json = stoa_byte_reader_take(&reader, about.schema_size);
    if (json == NULL) {
        return corrupt(table, footer->about_offset, "the schema ends early", err);
    }
    STOA_TRY(check_schema(table, (const char *)json, about.schema_size, err));
    bool is_same = about.key_count == (uint32_t)layout->key->part_count;
    for (uint32_t i = 0; is_same && i < about.key_count; i++) {
        int32_t part[2];
        if (!stoa_byte_reader_get(&reader, part, sizeof part)) {
            return corrupt(table, footer->about_offset, "the key ends early", err);
        }
        is_same = part[0] == layout->key->parts[i].field->id &&
                  part[1] == layout->key->parts[i].descending;
    }
    if (!is_same) {
        return stoa_fail(err, STOA_INVALID, "the table has another key than expected");
    }
    if (about.segment_count != (uint32_t)layout->segment_count ||
        about.column_count != (uint32_t)layout->schema->root.child_count ||
        about.stripe_count < 0 ||
        (uint64_t)about.stripe_count > footer->directory_size / sizeof(stoa_sst_entry)) {
        return corrupt(table, footer->about_offset, "counts that do not fit the file", err);
    }
    table->summary = (stoa_sst_summary){table->size, about.row_count, about.stripe_count,
                                        about.sequence_min, about.sequence_max};
    return STOA_OK;
}

/* Everything but the offset in the file, which its caller has checked. */
static bool read_entry(const stoa_sst *table, stoa_byte_reader *reader, const stoa_sst_entry *head,
                       struct entry *out) {
    const stoa_stripe_layout *layout = table->layout;
    const size_t columns = (size_t)layout->schema->root.child_count;
    const size_t segments = (size_t)layout->segment_count;
    const size_t begin = reader->position;
    const uint8_t *zones = stoa_byte_reader_take(reader, columns * sizeof(stoa_zone));
    const uint8_t *parts = stoa_byte_reader_take(reader, segments * sizeof(stoa_stripe_part));
    out->first_key = stoa_byte_reader_take(reader, head->first_key_size);
    out->last_key = stoa_byte_reader_take(reader, head->last_key_size);
    const size_t used = reader->position - begin;
    if (zones == NULL || parts == NULL || out->first_key == NULL || out->last_key == NULL ||
        stoa_byte_reader_take(reader, stoa_sst_aligned(used) - used) == NULL ||
        head->prefix_size > head->first_key_size || head->row_count == 0 ||
        head->row_count > STOA_STRIPE_ROWS ||
        (layout->key->is_number && (head->first_key_size != (uint32_t)layout->key->fixed_bytes ||
                                    head->last_key_size != head->first_key_size))) {
        return false;
    }
    out->zones = (const stoa_zone *)(const void *)zones;
    out->offset = head->offset;
    out->first_key_size = head->first_key_size;
    out->last_key_size = head->last_key_size;
    out->stripe = (stoa_stripe){.layout = layout,
                                .bytes = table->bytes + head->offset,
                                .parts = (const stoa_stripe_part *)(const void *)parts,
                                .row_count = head->row_count,
                                .prefix = out->first_key,
                                .prefix_size = head->prefix_size};
    /* Segments follow each other; what is between them is verified to be zero. */
    size_t end = 0;
    for (size_t i = 0; i < segments; i++) {
        const stoa_stripe_part *part = &out->stripe.parts[i];
        if (part->offset != end || part->size > head->size - end) {
            return false;
        }
        end = stoa_sst_aligned(end + part->size);
    }
    return end == head->size;
}

static stoa_status allocate_entries(stoa_sst *table, stoa_error *err) {
    const size_t stripes = (size_t)table->summary.stripe_count;
    void *entries = NULL, *slots = NULL, *numbers = NULL;
    STOA_TRY(stoa_arena_allocate_array(&table->arena, stripes + 1, sizeof *table->entries, &entries,
                                       err));
    STOA_TRY(stoa_arena_allocate_array(&table->arena,
                                       stripes * (size_t)table->layout->segment_count + 1,
                                       sizeof *table->slots, &slots, err));
    STOA_TRY(stoa_arena_allocate_array(&table->arena, stripes + 1, sizeof *table->last_numbers,
                                       &numbers, err));
    memset(slots, 0, (stripes * (size_t)table->layout->segment_count + 1) * sizeof *table->slots);
    table->entries = entries;
    table->slots = slots;
    table->last_numbers = numbers;
    return STOA_OK;
}

static stoa_status read_directory(stoa_sst *table, const stoa_sst_footer *footer, stoa_error *err) {
    stoa_byte_reader reader = stoa_byte_reader_of(table->bytes + footer->directory_offset,
                                                  (size_t)footer->directory_size);
    uint64_t offset = sizeof(stoa_sst_header);
    int64_t rows = 0;
    STOA_TRY(allocate_entries(table, err));
    for (int64_t i = 0; i < table->summary.stripe_count; i++) {
        struct entry *entry = &table->entries[i];
        const struct entry *before = i > 0 ? &table->entries[i - 1] : NULL;
        const uint64_t at = footer->directory_offset + reader.position;
        stoa_sst_entry head;
        if (!stoa_byte_reader_get(&reader, &head, sizeof head) || head.offset != offset ||
            !lies_inside(table, offset, head.size) || !read_entry(table, &reader, &head, entry) ||
            stoa_bytes_compare(entry->first_key, entry->first_key_size, entry->last_key,
                         entry->last_key_size) > 0 ||
            (before != NULL && stoa_bytes_compare(before->last_key, before->last_key_size,
                                            entry->first_key, entry->first_key_size) > 0)) {
            return corrupt(table, at, "an entry of the directory that does not hold together", err);
        }
        entry->stripe.slots = table->slots + i * table->layout->segment_count;
        if (table->layout->key->is_number) {
            table->last_numbers[i] = stoa_key_get_number(entry->last_key,
                                                         (int32_t)entry->last_key_size);
        }
        offset += stoa_sst_aligned(head.size);
        rows += head.row_count;
    }
    if (stoa_byte_reader_left(&reader) > 0 || rows != table->summary.row_count) {
        return corrupt(table, footer->directory_offset, "the directory does not fit the table",
                       err);
    }
    return STOA_OK;
}

static stoa_status open_table(stoa_sst *table, stoa_error *err) {
    stoa_sst_footer footer;
    STOA_TRY(take_bytes(table, err));
    STOA_TRY(read_footer(table, &footer, err));
    STOA_TRY(read_about(table, &footer, err));
    STOA_TRY(read_directory(table, &footer, err));
    return table->is_mapped ? stoa_file_map_check(table->file, err) : STOA_OK;
}

stoa_status stoa_sst_open(const stoa_context *context, stoa_file *file,
                          const stoa_stripe_layout *layout, stoa_sst **out, stoa_error *err) {
    void *memory = NULL;
    stoa_status status = stoa_pool_allocate(context->pool, sizeof(stoa_sst), &memory, err);
    if (status != STOA_OK) {
        stoa_file_close(file);
        return status;
    }
    stoa_sst *table = memory;
    *table = (stoa_sst){.context = *context, .file = file, .layout = layout};
    stoa_buffer_init(&table->copy, context->pool);
    stoa_arena_init(&table->arena, context->pool);
    status = open_table(table, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "opening '%s'", stoa_file_uri(file));
        stoa_sst_close(table);
        return status;
    }
    *out = table;
    return STOA_OK;
}

void stoa_sst_close(stoa_sst *table) {
    if (table == NULL) {
        return;
    }
    stoa_arena_release(&table->arena);
    stoa_buffer_release(&table->copy);
    stoa_file_close(table->file);
    stoa_pool_free(table->context.pool, table, sizeof *table);
}

/* ---- Reading --------------------------------------------------------------------------------- */

const stoa_sst_summary *stoa_sst_summary_of(const stoa_sst *table) {
    return &table->summary;
}

const stoa_stripe *stoa_sst_stripe_at(const stoa_sst *table, int64_t stripe) {
    return &table->entries[stripe].stripe;
}

const stoa_zone *stoa_sst_zone(const stoa_sst *table, int64_t stripe, int32_t column) {
    return table->layout->column_nodes[column] < 0 ? NULL : &table->entries[stripe].zones[column];
}

/* The first stripe whose last key is not less. */
static int64_t find_stripe(const stoa_sst *table, const uint8_t *key, size_t size,
                           uint64_t number) {
    int64_t low = 0, count = table->summary.stripe_count;
    const bool is_number = table->layout->key->is_number;
    while (count > 0) {
        const int64_t middle = low + count / 2;
        const struct entry *entry = &table->entries[middle];
        const bool is_less = is_number ? table->last_numbers[middle] < number
                                       : stoa_bytes_compare(entry->last_key, entry->last_key_size, key,
                                                      size) < 0;
        if (is_less) {
            low = middle + 1;
            count -= count / 2 + 1;
        } else {
            count /= 2;
        }
    }
    return low;
}

stoa_status stoa_sst_find(const stoa_sst *table, const uint8_t *key, size_t size,
                          stoa_sst_position *out, stoa_error *err) {
    const stoa_key_format *format = table->layout->key;
    uint64_t number = 0;
    if (format->is_number) {
        STOA_ASSERT(size <= (size_t)format->fixed_bytes);
        number = stoa_key_get_number(key, (int32_t)size)
                 << 8 * (format->fixed_bytes - (int)size) % 64;
    }
    *out = (stoa_sst_position){find_stripe(table, key, size, number), 0};
    if (out->stripe == table->summary.stripe_count) {
        return STOA_OK;
    }
    const struct entry *entry = &table->entries[out->stripe];
    stoa_status status = format->is_number
                             ? stoa_stripe_find_number(&entry->stripe, number, &out->row, err)
                             : stoa_stripe_find_bytes(&entry->stripe, key, size, &out->row, err);
    if (status == STOA_OK && out->row == entry->stripe.row_count) {
        status = corrupt(table, entry->offset, "a last key that is not in its stripe", err);
    }
    if (status != STOA_OK) {
        stoa_wrap(err, "'%s', stripe %" PRId64, stoa_file_uri(table->file), out->stripe);
        return status;
    }
    return table->is_mapped ? stoa_file_map_check(table->file, err) : STOA_OK;
}

static stoa_status verify_keys(const stoa_sst *table, const stoa_stripe *stripe, stoa_keys *keys,
                               stoa_error *err) {
    const stoa_stripe_selection all = {NULL, 0, stripe->row_count};
    STOA_TRY(stoa_stripe_keys(stripe, &all, keys, err));
    const stoa_keys_view view = stoa_keys_view_of(keys);
    for (int64_t i = 1; i < view.count; i++) {
        if (stoa_keys_compare(table->layout->key, &view, i, &view, i - 1) < 0) {
            return stoa_fail(err, STOA_CORRUPT, "row %" PRId64 ": a key less than the one before",
                             i);
        }
    }
    return STOA_OK;
}

static stoa_status verify_padding(const stoa_stripe *stripe, stoa_error *err) {
    for (int32_t i = 0; i < stripe->layout->segment_count; i++) {
        const stoa_stripe_part *part = &stripe->parts[i];
        const size_t end = (size_t)part->offset + part->size;
        for (size_t at = end; at < stoa_sst_aligned(end); at++) {
            if (stripe->bytes[at] != 0) {
                return stoa_fail(err, STOA_CORRUPT, "expected zeros behind segment %" PRId32, i);
            }
        }
    }
    return STOA_OK;
}

static stoa_status verify_stripe(const stoa_sst *table, const stoa_stripe *stripe,
                                 stoa_error *err) {
    const stoa_stripe_selection all = {NULL, 0, stripe->row_count};
    const stoa_segment *segment;
    stoa_keys keys;
    STOA_TRY(verify_padding(stripe, err));
    stoa_keys_init(&keys, table->context.pool);
    stoa_status status = verify_keys(table, stripe, &keys, err);
    stoa_keys_release(&keys);
    STOA_TRY(status);
    STOA_TRY(stoa_stripe_segment(stripe, STOA_STRIPE_SEQUENCES, stripe->row_count, &segment, err));
    STOA_TRY(stoa_stripe_segment(stripe, STOA_STRIPE_OPERATIONS, stripe->row_count, &segment, err));
    for (int32_t i = 0; i < table->layout->schema->root.child_count; i++) {
        struct ArrowArray column;
        if (table->layout->column_nodes[i] >= 0) {
            STOA_TRY(stoa_stripe_column(stripe, table->context.pool, i, &all, &column, err));
            stoa_arrow_array_release(&column);
        }
    }
    return STOA_OK;
}

stoa_status stoa_sst_verify(const stoa_sst *table, stoa_error *err) {
    for (int64_t i = 0; i < table->summary.stripe_count; i++) {
        STOA_TRY(stoa_cancel_check(table->context.cancel, err));
        const stoa_status status = verify_stripe(table, &table->entries[i].stripe, err);
        if (status != STOA_OK) {
            stoa_wrap(err, "'%s', stripe %" PRId64, stoa_file_uri(table->file), i);
            return status;
        }
    }
    return table->is_mapped ? stoa_file_map_check(table->file, err) : STOA_OK;
}
