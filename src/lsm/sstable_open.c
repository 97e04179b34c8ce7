/* Opening SSTables: the ends of the file are checked, the directory becomes structs, ranges of deletions
 * are taken up. Stripes and the filter are checked when they are first used. */
#include "base/bytes.h"
#include "base/hash.h"
#include "lsm/key_bytes.h"
#include "lsm/sstable_internal.h"

stoa_status stoa_sst_corrupt(const stoa_sst *table, uint64_t offset, const char *problem,
                             stoa_error *err) {
    stoa_fail(err, STOA_CORRUPT, "%s", problem);
    stoa_error_set_file(err, table->file->uri, (int64_t)offset);
    return STOA_CORRUPT;
}

/* ---- Sections -------------------------------------------------------------------------------- */

static const char *section_name(uint32_t kind) {
    switch (kind) {
    case STOA_SST_DIRECTORY: return "directory";
    case STOA_SST_ABOUT: return "schema";
    case STOA_SST_RANGES: return "ranges of deletions";
    case STOA_SST_FILTER: return "filter";
    default: return "section of an unknown kind";
    }
}

const stoa_sst_section *stoa_sst_section_of(const stoa_sst *table, stoa_sst_section_kind kind) {
    for (uint32_t i = 0; i < table->section_count; i++) {
        if (table->sections[i].kind == kind) {
            return &table->sections[i];
        }
    }
    return NULL;
}

stoa_status stoa_sst_section_check(const stoa_sst *table, const stoa_sst_section *section,
                                   stoa_error *err) {
    const uint32_t crc = stoa_crc32c(0, table->bytes + section->offset, (size_t)section->size);
    if (crc == section->crc) {
        return STOA_OK;
    }
    stoa_fail(err, STOA_CORRUPT, "%s: expected the checksum %08" PRIx32 " but found %08" PRIx32,
              section_name(section->kind), section->crc, crc);
    stoa_error_set_file(err, table->file->uri, (int64_t)section->offset);
    return STOA_CORRUPT;
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static stoa_status take_bytes(stoa_sst *table, stoa_error *err) {
    const void *map;
    stoa_error ignored;
    if (stoa_file_map(table->file, &map, &table->size, &ignored) == STOA_OK) {
        table->bytes = map;
        table->is_mapped = true;
        table->map_mark = stoa_file_map_mark(table->file);
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

static stoa_status read_footer(const stoa_sst *table, stoa_sst_footer *out, stoa_error *err) {
    stoa_sst_header header;
    if (table->size < sizeof header + sizeof *out) {
        return stoa_sst_corrupt(table, table->size, "shorter than an SSTable", err);
    }
    const uint64_t at = table->size - sizeof *out;
    memcpy(&header, table->bytes, sizeof header);
    memcpy(out, table->bytes + at, sizeof *out);
    if (memcmp(header.magic, STOA_SST_MAGIC, sizeof header.magic) != 0 || header.zero != 0) {
        return stoa_sst_corrupt(table, 0, "no SSTable: expected the magic " STOA_SST_MAGIC, err);
    }
    if (memcmp(out->magic, STOA_SST_MAGIC, sizeof out->magic) != 0) {
        return stoa_sst_corrupt(table, at,
                                "expected a footer: the file was cut, or its end is damaged", err);
    }
    if (out->crc != stoa_crc32c(0, out, offsetof(stoa_sst_footer, crc))) {
        return stoa_sst_corrupt(table, at, "the footer fails its checksum", err);
    }
    if (out->version != STOA_SST_VERSION) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "expected version %d of the format but found %" PRIu32, STOA_SST_VERSION,
                         out->version);
    }
    if (header.version != out->version) {
        return stoa_sst_corrupt(table, 0, "the header has another version than the footer", err);
    }
    const uint64_t size = (uint64_t)out->section_count * sizeof(stoa_sst_section);
    if (out->section_count > STOA_SST_SECTIONS_MAX || size > at - sizeof header ||
        out->sections_offset != at - size) {
        return stoa_sst_corrupt(table, at, "the footer names places outside the file", err);
    }
    return STOA_OK;
}

/* What is behind the stripes has no gaps, so every byte of the file is under some checksum. */
static stoa_status read_sections(stoa_sst *table, stoa_error *err) {
    stoa_sst_footer footer;
    STOA_TRY(read_footer(table, &footer, err));
    const uint64_t list = footer.sections_offset;
    const size_t size = footer.section_count * sizeof(stoa_sst_section);
    if (stoa_crc32c(0, table->bytes + list, size) != footer.sections_crc) {
        return stoa_sst_corrupt(table, list, "the list of sections fails its checksum", err);
    }
    memcpy(table->sections, table->bytes + list, size);
    table->section_count = footer.section_count;
    uint64_t end = list;
    for (uint32_t i = table->section_count; i-- > 0;) {
        const stoa_sst_section *section = &table->sections[i];
        if (section->size % STOA_SST_ALIGNMENT != 0 || section->offset % STOA_SST_ALIGNMENT != 0 ||
            section->offset < sizeof(stoa_sst_header) || section->offset > end ||
            section->size != end - section->offset || section->zero != 0 ||
            (i > 0 && section->kind <= table->sections[i - 1].kind)) {
            return stoa_sst_corrupt(table, list, "sections that do not follow each other", err);
        }
        end = section->offset;
    }
    for (uint32_t i = 0; i < table->section_count; i++) {
        const stoa_sst_section *section = &table->sections[i];
        const bool is_known = section->kind >= STOA_SST_DIRECTORY &&
                              section->kind <= STOA_SST_FILTER;
        if ((!is_known && (section->flags & STOA_SST_SECTION_REQUIRED) != 0) ||
            (section->flags & ~(uint32_t)STOA_SST_SECTION_REQUIRED) != 0) {
            return stoa_fail(err, STOA_UNSUPPORTED,
                             "section %" PRIu32 " of kind %" PRIu32 " is newer than this version",
                             i, section->kind);
        }
    }
    return STOA_OK;
}

/* A section that has to be there, checked. */
static stoa_status require_section(const stoa_sst *table, stoa_sst_section_kind kind,
                                   const stoa_sst_section **out, stoa_error *err) {
    *out = stoa_sst_section_of(table, kind);
    if (*out == NULL) {
        stoa_fail(err, STOA_CORRUPT, "the %s is missing", section_name(kind));
        stoa_error_set_file(err, table->file->uri, (int64_t)table->size);
        return STOA_CORRUPT;
    }
    return stoa_sst_section_check(table, *out, err);
}

static stoa_status read_schema(stoa_sst *table, const char *json, size_t size, stoa_error *err) {
    const stoa_schema *schema;
    stoa_status status = STOA_OK;
    table->stored = table->layout;
    STOA_TRY(stoa_schema_from_json(table->context.pool, json, size, &schema, err));
    if (!stoa_type_equal(&schema->root, &table->layout->schema->root, true)) {
        status = stoa_stripe_schema_init(&table->schema, table->context.pool, table->layout, schema,
                                         err);
        table->is_older = status == STOA_OK;
        table->stored = &table->schema.file;
    }
    stoa_schema_close(schema);
    return status;
}

static stoa_status read_codec(stoa_sst *table, const stoa_sst_about *about, stoa_error *err) {
    table->decompression.pool = table->context.pool;
    switch (about->codec) {
    case STOA_SST_CODEC_NONE: table->decompression.codec = STOA_COMPRESSION_NONE; return STOA_OK;
    case STOA_SST_CODEC_LZ4: table->decompression.codec = STOA_COMPRESSION_LZ4_RAW; return STOA_OK;
    case STOA_SST_CODEC_ZSTD: table->decompression.codec = STOA_COMPRESSION_ZSTD; return STOA_OK;
    default:
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "segments compressed by codec %" PRIu32 " are newer than this version",
                         about->codec);
    }
}

static stoa_status read_about(stoa_sst *table, stoa_error *err) {
    const stoa_stripe_layout *layout = table->layout;
    const stoa_sst_section *section;
    STOA_TRY(require_section(table, STOA_SST_ABOUT, &section, err));
    stoa_byte_reader reader = stoa_byte_reader_of(table->bytes + section->offset,
                                                  (size_t)section->size);
    stoa_sst_about about;
    if (!stoa_byte_reader_get(&reader, &about, sizeof about)) {
        return stoa_sst_corrupt(table, section->offset, "the schema ends early", err);
    }
    STOA_TRY(read_codec(table, &about, err));
    const uint8_t *json = stoa_byte_reader_take(&reader, about.schema_size);
    if (json == NULL) {
        return stoa_sst_corrupt(table, section->offset, "the schema ends early", err);
    }
    STOA_TRY(read_schema(table, (const char *)json, about.schema_size, err));
    bool is_same = about.key_count == (uint32_t)layout->key->part_count;
    for (uint32_t i = 0; is_same && i < about.key_count; i++) {
        int32_t part[2];
        if (!stoa_byte_reader_get(&reader, part, sizeof part)) {
            return stoa_sst_corrupt(table, section->offset, "the key ends early", err);
        }
        is_same = part[0] == layout->key->parts[i].field->id &&
                  part[1] == layout->key->parts[i].descending;
    }
    if (!is_same) {
        return stoa_fail(err, STOA_INVALID, "the table has another key than expected");
    }
    if (about.zero != 0 || about.segment_count != (uint32_t)table->stored->segment_count ||
        about.column_count != (uint32_t)table->stored->schema->root.child_count ||
        about.stripe_count < 0 || about.row_count < 0 || about.range_count < 0 ||
        (uint64_t)about.range_count > table->size / sizeof(stoa_sst_range) ||
        (uint64_t)about.stripe_count > table->size / sizeof(stoa_sst_entry)) {
        return stoa_sst_corrupt(table, section->offset, "counts that do not fit the file", err);
    }
    table->summary = (stoa_sst_summary){
        table->size,       about.row_count,    about.stripe_count, about.delete_count,
        about.range_count, about.sequence_min, about.sequence_max,
    };
    return STOA_OK;
}

/* ---- Directory ------------------------------------------------------------------------------- */

/* A raw size that the codec can have made of what stands there: so much is allocated. */
static bool is_raw_size(stoa_compression codec, size_t segment, const stoa_stripe_part *part) {
    return codec != STOA_COMPRESSION_NONE && segment >= STOA_STRIPE_FIRST_VALUE &&
           part->raw_size > part->size && part->raw_size <= STOA_STRIPE_RAW_BYTES_MAX &&
           (codec != STOA_COMPRESSION_LZ4_RAW ||
            part->raw_size <= (uint64_t)part->size * STOA_SST_LZ4_RATIO_MAX);
}

/* Segments follow each other; what is between them is verified to be zero. */
static bool check_parts(const stoa_sst *table, const stoa_stripe_part *parts, uint32_t size) {
    size_t end = 0;
    for (int32_t i = 0; i < table->stored->segment_count; i++) {
        const stoa_stripe_part *part = &parts[i];
        if (part->offset != end || part->size > size - end ||
            (part->raw_size != 0 && !is_raw_size(table->decompression.codec, (size_t)i, part))) {
            return false;
        }
        end = stoa_sst_aligned(end + part->size);
    }
    return end == size;
}

/* Everything but the offset in the file, which its caller has checked. */
static bool read_entry(stoa_sst *table, stoa_byte_reader *reader, const stoa_sst_entry *head,
                       stoa_sst_member *out) {
    const stoa_stripe_layout *layout = table->stored;
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
    out->delete_count = head->delete_count;
    out->merge_count = head->merge_count;
    out->sequence_min = head->sequence_min;
    out->sequence_max = head->sequence_max;
    out->first_key_size = head->first_key_size;
    out->last_key_size = head->last_key_size;
    out->stripe = (stoa_stripe){.layout = layout,
                                .schema = table->is_older ? &table->schema : NULL,
                                .bytes = table->bytes + head->offset,
                                .parts = (const stoa_stripe_part *)(const void *)parts,
                                .decompression = table->decompression.codec == STOA_COMPRESSION_NONE
                                                     ? NULL
                                                     : &table->decompression,
                                .row_count = head->row_count,
                                .prefix = out->first_key,
                                .prefix_size = head->prefix_size};
    return check_parts(table, out->stripe.parts, head->size);
}

static stoa_status allocate_members(stoa_sst *table, stoa_error *err) {
    const size_t stripes = (size_t)table->summary.stripe_count;
    void *members = NULL, *slots = NULL, *numbers = NULL, *samples = NULL, *states = NULL;
    STOA_TRY(stoa_arena_allocate_array(&table->arena, stripes + 1, sizeof *table->members, &members,
                                       err));
    STOA_TRY(stoa_arena_allocate_array(&table->arena,
                                       stripes * (size_t)table->stored->segment_count + 1,
                                       sizeof *table->slots, &slots, err));
    STOA_TRY(stoa_arena_allocate_array(&table->arena, stripes + 1, sizeof *table->last_numbers,
                                       &numbers, err));
    memset(slots, 0, (stripes * (size_t)table->stored->segment_count + 1) * sizeof *table->slots);
    if (!table->layout->key->is_number) {
        STOA_TRY(stoa_arena_allocate_array(&table->arena, stripes + 1,
                                           STOA_SST_SAMPLES * sizeof *table->samples, &samples,
                                           err));
        STOA_TRY(stoa_arena_allocate_array(&table->arena, stripes + 1, sizeof *table->sample_states,
                                           &states, err));
        table->samples = samples;
        table->sample_states = states;
    }
    table->members = members;
    table->slots = slots;
    table->last_numbers = numbers;
    return STOA_OK;
}

/* An entry's place in the file and among its neighbours. */
static bool follows(const stoa_sst *table, const stoa_sst_member *member,
                    const stoa_sst_member *before) {
    return (uint64_t)member->delete_count + member->merge_count <= member->stripe.row_count &&
           member->sequence_min <= member->sequence_max &&
           member->sequence_min >= table->summary.sequence_min &&
           member->sequence_max <= table->summary.sequence_max &&
           stoa_bytes_compare(member->first_key, member->first_key_size, member->last_key,
                              member->last_key_size) <= 0 &&
           (before == NULL || stoa_bytes_compare(before->last_key, before->last_key_size,
                                                 member->first_key, member->first_key_size) <= 0);
}

static stoa_status read_directory(stoa_sst *table, stoa_error *err) {
    const stoa_sst_section *section;
    STOA_TRY(require_section(table, STOA_SST_DIRECTORY, &section, err));
    stoa_byte_reader reader = stoa_byte_reader_of(table->bytes + section->offset,
                                                  (size_t)section->size);
    const uint64_t stripes_end = table->sections[0].offset;
    uint64_t offset = sizeof(stoa_sst_header);
    int64_t rows = 0, deletes = table->summary.range_count;
    STOA_TRY(allocate_members(table, err));
    for (int64_t i = 0; i < table->summary.stripe_count; i++) {
        stoa_sst_member *member = &table->members[i];
        const uint64_t at = section->offset + reader.position;
        stoa_sst_entry head;
        if (!stoa_byte_reader_get(&reader, &head, sizeof head) || head.offset != offset ||
            head.zero != 0 || head.size > stripes_end - offset ||
            !read_entry(table, &reader, &head, member) ||
            !follows(table, member, i > 0 ? member - 1 : NULL)) {
            return stoa_sst_corrupt(table, at,
                                    "an entry of the directory that does not hold together", err);
        }
        member->stripe.slots = table->slots + i * table->stored->segment_count;
        member->entry = table->bytes + at;
        member->entry_size = (uint32_t)(section->offset + reader.position - at);
        offset += head.size;
        rows += head.row_count;
        deletes += head.delete_count;
    }
    if (stoa_byte_reader_left(&reader) > 0 || offset != stripes_end ||
        rows != table->summary.row_count || deletes != table->summary.delete_count) {
        return stoa_sst_corrupt(table, section->offset, "the directory does not fit the table",
                                err);
    }
    return STOA_OK;
}

/* A zone of the file's column as one of the table's. */
static stoa_zone zone_of(const stoa_sst *table, const stoa_sst_member *member, int32_t column) {
    const int32_t stored = stoa_stripe_schema_column(&table->schema, column);
    if (table->layout->column_nodes[column] < 0) {
        return (stoa_zone){0};
    }
    if (stored < 0) {
        return (stoa_zone){.null_count = member->stripe.row_count};
    }
    stoa_zone zone = member->zones[stored];
    if (zone.has_bounds == 0 || !stoa_stripe_schema_bound(&table->schema, column, &zone.lower) ||
        !stoa_stripe_schema_bound(&table->schema, column, &zone.upper)) {
        zone = (stoa_zone){.null_count = zone.null_count};
    }
    return zone;
}

/* Zones of the table's columns take the place of the file's. */
static stoa_status map_zones(stoa_sst *table, stoa_error *err) {
    const size_t columns = (size_t)table->layout->schema->root.child_count;
    void *memory = NULL;
    if (!table->is_older) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(&table->arena,
                                       columns * (size_t)table->summary.stripe_count + 1,
                                       sizeof(stoa_zone), &memory, err));
    stoa_zone *zones = memory;
    for (int64_t i = 0; i < table->summary.stripe_count; i++) {
        for (size_t c = 0; c < columns; c++) {
            zones[c] = zone_of(table, &table->members[i], (int32_t)c);
        }
        table->members[i].zones = zones;
        zones += columns;
    }
    return STOA_OK;
}

static uint64_t number_of(const uint8_t *key, uint32_t size) {
    return stoa_key_get_number(key, (int32_t)size);
}

/* Whether all keys seem to lie on one line, by the first and the last of each stripe. Then searching for
 * one reads no more than asking the filter does, and the filter is not asked. */
static bool are_even(const stoa_sst *table) {
    uint64_t step = 0;
    for (int64_t i = 0; i < table->summary.stripe_count; i++) {
        const stoa_sst_member *member = &table->members[i];
        const uint64_t first = number_of(member->first_key, member->first_key_size);
        const uint64_t way = table->last_numbers[i] - first;
        const uint64_t steps = member->stripe.row_count - 1;
        if (i == 0) {
            step = steps == 0 ? 1 : way / steps;
        }
        if (step == 0 || way % step != 0 || way / step != steps ||
            (i > 0 && first - table->last_numbers[i - 1] != step)) {
            return false;
        }
    }
    return true;
}

/* What the first and the last key have in common, all between them have. */
static void index_last_keys(stoa_sst *table) {
    const int64_t count = table->summary.stripe_count;
    const bool is_number = table->layout->key->is_number;
    const stoa_sst_member *first = table->members, *last = table->members + count - 1;
    if (count > 0 && !is_number) {
        while (table->common_size < first->first_key_size &&
               table->common_size < last->last_key_size &&
               first->first_key[table->common_size] == last->last_key[table->common_size]) {
            table->common_size++;
        }
    }
    for (int64_t i = 0; i < count; i++) {
        const stoa_sst_member *member = &table->members[i];
        table->last_numbers[i] = is_number
                                     ? number_of(member->last_key, member->last_key_size)
                                     : stoa_key_prefix(member->last_key + table->common_size,
                                                       member->last_key_size - table->common_size);
    }
    table->has_even_keys = is_number && are_even(table);
}

/* ---- Ranges and the filter ------------------------------------------------------------------- */

static bool read_range(stoa_byte_reader *reader, stoa_key_range *out) {
    stoa_sst_range head;
    if (!stoa_byte_reader_get(reader, &head, sizeof head) || head.to_end > 1 || head.zero != 0 ||
        head.from_size > STOA_KEY_BYTES_MAX || head.to_size > STOA_KEY_BYTES_MAX) {
        return false;
    }
    const size_t size = (size_t)head.from_size + head.to_size;
    const uint8_t *bytes = stoa_byte_reader_take(reader, stoa_sst_aligned(size));
    if (bytes == NULL) {
        return false;
    }
    *out = (stoa_key_range){.from = bytes,
                            .from_size = head.from_size,
                            .to = bytes + head.from_size,
                            .to_size = head.to_size,
                            .to_end = head.to_end == 1,
                            .sequence = head.sequence};
    return true;
}

static stoa_status read_ranges(stoa_sst *table, stoa_error *err) {
    int64_t left = table->summary.range_count;
    const stoa_sst_section *section;
    if (left == 0) {
        return stoa_sst_section_of(table, STOA_SST_RANGES) == NULL
                   ? STOA_OK
                   : stoa_sst_corrupt(table, table->size, "ranges that are not counted", err);
    }
    STOA_TRY(require_section(table, STOA_SST_RANGES, &section, err));
    stoa_byte_reader reader = stoa_byte_reader_of(table->bytes + section->offset,
                                                  (size_t)section->size);
    for (; left > 0; left--) {
        const uint64_t at = section->offset + reader.position;
        stoa_key_range range;
        if (!read_range(&reader, &range) || range.sequence == 0 ||
            range.sequence < table->summary.sequence_min ||
            range.sequence > table->summary.sequence_max) {
            return stoa_sst_corrupt(table, at, "a range of deletions that does not hold together",
                                    err);
        }
        STOA_TRY(stoa_range_set_add(&table->ranges, &range, err));
    }
    if (stoa_byte_reader_left(&reader) > 0) {
        return stoa_sst_corrupt(table, section->offset, "more ranges of deletions than counted",
                                err);
    }
    stoa_range_set_finish(&table->ranges);
    return STOA_OK;
}

/* Where it is; its bytes are checked when it is first asked. A filter of another hash is none. */
static stoa_status find_filter(stoa_sst *table, stoa_error *err) {
    const stoa_sst_section *section = stoa_sst_section_of(table, STOA_SST_FILTER);
    stoa_sst_filter head;
    if (section == NULL) {
        return STOA_OK;
    }
    stoa_byte_reader reader = stoa_byte_reader_of(table->bytes + section->offset,
                                                  (size_t)section->size);
    if (!stoa_byte_reader_get(&reader, &head, sizeof head) ||
        head.padding >= STOA_SST_FILTER_ALIGNMENT ||
        stoa_byte_reader_take(&reader, head.padding) == NULL || head.block_count == 0 ||
        head.block_count > UINT32_MAX ||
        head.block_count * STOA_BLOOM_BLOCK_BYTES != stoa_byte_reader_left(&reader)) {
        return stoa_sst_corrupt(table, section->offset, "a filter that does not hold together",
                                err);
    }
    if (head.hash == STOA_SST_HASH_XXH3) {
        table->filter = (stoa_bloom_filter){reader.data + reader.position,
                                            (size_t)head.block_count};
    }
    return STOA_OK;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static stoa_status open_table(stoa_sst *table, stoa_error *err) {
    STOA_TRY(take_bytes(table, err));
    STOA_TRY(read_sections(table, err));
    STOA_TRY(read_about(table, err));
    STOA_TRY(read_directory(table, err));
    STOA_TRY(map_zones(table, err));
    index_last_keys(table);
    STOA_TRY(read_ranges(table, err));
    STOA_TRY(find_filter(table, err));
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
    *table = (stoa_sst){.context = *context,
                        .file = file,
                        .layout = layout,
                        .ranges = {.pool = context->pool}};
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
    for (int64_t i = 0; stoa_sst_memory_bytes(table) > 0 && i < table->summary.stripe_count; i++) {
        stoa_stripe_slots_release(&table->members[i].stripe);
    }
    stoa_range_set_release(&table->ranges);
    if (table->is_older) {
        stoa_stripe_schema_release(&table->schema);
    }
    stoa_arena_release(&table->arena);
    stoa_buffer_release(&table->copy);
    stoa_file_close(table->file);
    stoa_pool_free(table->context.pool, table, sizeof *table);
}
