#include "base/bits.h"
#include "base/hash.h"
#include "lsm/key_bytes.h"
#include "lsm/key_kernel.h"
#include "lsm/sstable_internal.h"
#include "schema/schema.h"

enum { BLOCK = 1024, FILTER_CHUNK = 16384, FILTER_AHEAD = 16 };

struct stoa_sst_writer {
    stoa_context context;
    stoa_file *file;
    const stoa_stripe_layout *layout;
    int32_t filter_bits;    /* 0: no filter */
    stoa_compression codec; /* of the stripes so far */
    stoa_buffer directory;
    stoa_buffer ranges;
    stoa_buffer hashes;
    stoa_sst_section sections[STOA_SST_FILTER];
    uint32_t section_count;
    uint64_t offset;
    stoa_sst_summary summary;
};

/* ---- Zones ----------------------------------------------------------------------------------- */

static void widen(stoa_zone *zone, uint64_t number) {
    zone->lower = zone->has_bounds && zone->lower < number ? zone->lower : number;
    zone->upper = zone->has_bounds && zone->upper > number ? zone->upper : number;
    zone->has_bounds = 1;
}

static void zone_of_numbers(const stoa_type *type, const struct ArrowArray *array, int64_t at,
                            int64_t count, const uint8_t *validity, stoa_zone *zone) {
    uint64_t numbers[BLOCK];
    if (validity == NULL && count > 0) {
        stoa_key_bounds(type, array, at, count, numbers);
        widen(zone, numbers[0]);
        widen(zone, numbers[1]);
        return;
    }
    for (int64_t done = 0; done < count; done += BLOCK) {
        const int64_t rows = count - done < BLOCK ? count - done : BLOCK;
        stoa_key_numbers(type, array, at + done, rows, numbers);
        for (int64_t i = 0; i < rows; i++) {
            if (stoa_bit_get(validity, at + done + i)) {
                widen(zone, numbers[i]);
            }
        }
    }
}

static uint64_t wide_number(const stoa_type *type, const struct ArrowArray *array, int64_t at) {
    uint8_t bytes[STOA_KEY_DECIMAL_BYTES];
    if (type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY) {
        const int32_t *offsets = (const int32_t *)array->buffers[1] + at;
        const size_t size = (size_t)(offsets[1] - offsets[0]);
        return stoa_key_prefix(size == 0 ? NULL : (const uint8_t *)array->buffers[2] + offsets[0],
                               size);
    }
    const size_t size = type->kind == STOA_TYPE_FIXED ? (size_t)type->length : 16;
    const uint8_t *value = (const uint8_t *)array->buffers[1] + (size_t)at * size;
    if (type->kind != STOA_TYPE_DECIMAL) {
        return stoa_key_prefix(value, size);
    }
    stoa_key_put_decimal(bytes, value);
    return stoa_key_prefix(bytes, sizeof bytes);
}

static void zone_of_column(const stoa_type *type, const struct ArrowArray *array, int64_t at,
                           int64_t count, stoa_zone *zone) {
    const bool has_nulls = array->n_buffers > 0 && array->null_count != 0;
    const uint8_t *validity = has_nulls ? array->buffers[0] : NULL;
    const uint8_t width = stoa_key_width(type);
    *zone = (stoa_zone){0};
    zone->null_count = (uint32_t)(type->kind == STOA_TYPE_UNKNOWN ? count
                                  : validity == NULL
                                      ? 0
                                      : count - stoa_bitmap_count(validity, at, count));
    if (width > 0 && width <= 8) {
        zone_of_numbers(type, array, at, count, validity, zone);
        return;
    }
    const bool has_order = width > 0 || type->kind == STOA_TYPE_STRING ||
                           type->kind == STOA_TYPE_BINARY || type->kind == STOA_TYPE_FIXED ||
                           type->kind == STOA_TYPE_UUID;
    for (int64_t i = 0; has_order && i < count; i++) {
        if (validity == NULL || stoa_bit_get(validity, at + i)) {
            widen(zone, wide_number(type, array, at + i));
        }
    }
}

/* ---- Stripes --------------------------------------------------------------------------------- */

void stoa_sst_stripe_init(stoa_sst_stripe *stripe, stoa_pool *pool) {
    *stripe = (stoa_sst_stripe){0};
    stoa_buffer_init(&stripe->bytes, pool);
    stoa_buffer_init(&stripe->entry, pool);
    stoa_buffer_init(&stripe->hashes, pool);
}

void stoa_sst_stripe_release(stoa_sst_stripe *stripe) {
    stoa_buffer_release(&stripe->bytes);
    stoa_buffer_release(&stripe->entry);
    stoa_buffer_release(&stripe->hashes);
}

static stoa_status append_key(const stoa_key_format *format, const stoa_keys_view *keys,
                              int64_t index, stoa_buffer *out, uint32_t *out_size,
                              stoa_error *err) {
    uint8_t number[8];
    size_t size;
    const uint8_t *bytes = stoa_keys_bytes(format, keys, index, number, &size);
    *out_size = (uint32_t)size;
    return stoa_buffer_append(out, bytes, size, err);
}

static stoa_status append_zones(const stoa_stripe_layout *layout, const stoa_stripe_rows *rows,
                                stoa_buffer *out, stoa_error *err) {
    for (int32_t i = 0; i < layout->schema->root.child_count; i++) {
        stoa_zone zone = {0};
        if (layout->column_nodes[i] >= 0) {
            const struct ArrowArray *array = rows->batch->children[i];
            zone_of_column(&layout->schema->root.children[i].type, array,
                           array->offset + rows->batch->offset + rows->first, rows->count, &zone);
        }
        STOA_TRY(stoa_buffer_append(out, &zone, sizeof zone, err));
    }
    return STOA_OK;
}

static stoa_status pad(stoa_buffer *out, stoa_error *err) {
    const uint64_t zero = 0;
    return stoa_buffer_append(out, &zero, stoa_sst_aligned(out->size) - out->size, err);
}

/* Versions of one key stand next to each other, and count once. */
static stoa_status hash_keys(const stoa_key_format *format, const stoa_keys_view *keys,
                             int64_t first, int64_t count, stoa_buffer *out, stoa_error *err) {
    uint64_t before = 0;
    STOA_TRY(stoa_buffer_reserve(out, (size_t)count * sizeof before, err));
    for (int64_t i = 0; i < count; i++) {
        uint8_t number[8];
        size_t size;
        const uint8_t *key = stoa_keys_bytes(format, keys, first + i, number, &size);
        const uint64_t hash = stoa_sst_key_hash(key, size);
        if (i == 0 || hash != before) {
            memcpy(out->data + out->size, &hash, sizeof hash);
            out->size += sizeof hash;
        }
        before = hash;
    }
    return STOA_OK;
}

static void count_rows(const stoa_stripe_rows *rows, stoa_sst_entry *entry) {
    entry->row_count = (uint32_t)rows->count;
    entry->sequence_min = UINT64_MAX;
    for (int64_t i = 0; i < rows->count; i++) {
        const uint64_t sequence = rows->sequences[i];
        entry->sequence_min = sequence < entry->sequence_min ? sequence : entry->sequence_min;
        entry->sequence_max = sequence > entry->sequence_max ? sequence : entry->sequence_max;
        entry->delete_count += rows->operations[i] == STOA_OPERATION_DELETE;
        entry->merge_count += rows->operations[i] == STOA_OPERATION_MERGE;
    }
}

stoa_status stoa_sst_stripe_encode(stoa_stripe_encoder *encoder, const stoa_stripe_layout *layout,
                                   const stoa_stripe_rows *rows, stoa_sst_stripe *out,
                                   stoa_error *err) {
    const size_t parts_size = (size_t)layout->segment_count * sizeof(stoa_stripe_part);
    stoa_sst_entry entry = {0};
    stoa_buffer_clear(&out->bytes);
    stoa_buffer_clear(&out->entry);
    stoa_buffer_clear(&out->hashes);
    count_rows(rows, &entry);
    STOA_TRY(hash_keys(layout->key, rows->keys, rows->first_key, rows->count, &out->hashes, err));
    STOA_TRY(stoa_buffer_append(&out->entry, &entry, sizeof entry, err));
    STOA_TRY(append_zones(layout, rows, &out->entry, err));
    STOA_TRY(stoa_buffer_reserve(&out->entry, parts_size, err));
    void *parts = out->entry.data + out->entry.size;
    STOA_TRY(stoa_stripe_encode(encoder, rows, &out->bytes, parts, &entry.prefix_size, err));
    out->entry.size += parts_size;
    STOA_TRY(append_key(layout->key, rows->keys, rows->first_key, &out->entry,
                        &entry.first_key_size, err));
    STOA_TRY(append_key(layout->key, rows->keys, rows->first_key + rows->count - 1, &out->entry,
                        &entry.last_key_size, err));
    out->codec = stoa_stripe_encoder_codec(encoder);
    entry.size = (uint32_t)out->bytes.size;
    memcpy(out->entry.data, &entry, sizeof entry);
    return pad(&out->entry, err);
}

static stoa_status copy_hashes(const stoa_sst *table, const stoa_stripe *stripe, stoa_buffer *out,
                               stoa_error *err) {
    const stoa_stripe_selection all = {NULL, 0, stripe->row_count};
    stoa_keys keys;
    stoa_keys_init(&keys, table->context.pool);
    stoa_status status = stoa_stripe_keys(stripe, &all, &keys, err);
    if (status == STOA_OK) {
        const stoa_keys_view view = stoa_keys_view_of(&keys);
        status = hash_keys(table->layout->key, &view, 0, stripe->row_count, out, err);
    }
    stoa_keys_release(&keys);
    return status;
}

stoa_status stoa_sst_stripe_copy(const stoa_sst *table, int64_t stripe, stoa_sst_stripe *out,
                                 stoa_error *err) {
    const stoa_sst_member *member = &table->members[stripe];
    stoa_sst_entry entry;
    memcpy(&entry, member->entry, sizeof entry);
    stoa_buffer_clear(&out->bytes);
    stoa_buffer_clear(&out->entry);
    stoa_buffer_clear(&out->hashes);
    out->codec = table->decompression.codec;
    STOA_TRY(stoa_buffer_append(&out->bytes, member->stripe.bytes, entry.size, err));
    STOA_TRY(stoa_buffer_append(&out->entry, member->entry, member->entry_size, err));
    return copy_hashes(table, &member->stripe, &out->hashes, err);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static stoa_status write_bytes(stoa_sst_writer *writer, const void *bytes, size_t size,
                               stoa_error *err) {
    STOA_TRY(stoa_file_write(writer->file, bytes, size, err));
    writer->offset += size;
    return STOA_OK;
}

stoa_status stoa_sst_writer_create(const stoa_context *context, stoa_file *file,
                                   const stoa_stripe_layout *layout, int32_t filter_bits,
                                   stoa_sst_writer **out, stoa_error *err) {
    void *memory = NULL;
    const stoa_sst_header header = {STOA_SST_MAGIC, STOA_SST_VERSION, 0};
    STOA_ASSERT(filter_bits >= -1 && filter_bits <= STOA_SST_FILTER_BITS_MAX);
    STOA_TRY(stoa_pool_allocate(context->pool, sizeof(stoa_sst_writer), &memory, err));
    stoa_sst_writer *writer = memory;
    *writer = (stoa_sst_writer){.context = *context,
                                .file = file,
                                .layout = layout,
                                .filter_bits = filter_bits == 0    ? STOA_SST_FILTER_BITS
                                               : filter_bits == -1 ? 0
                                                                   : filter_bits,
                                .summary = {.sequence_min = UINT64_MAX}};
    stoa_buffer_init(&writer->directory, context->pool);
    stoa_buffer_init(&writer->ranges, context->pool);
    stoa_buffer_init(&writer->hashes, context->pool);
    const stoa_status status = write_bytes(writer, &header, sizeof header, err);
    if (status != STOA_OK) {
        stoa_sst_writer_close(writer);
        return status;
    }
    *out = writer;
    return STOA_OK;
}

void stoa_sst_writer_close(stoa_sst_writer *writer) {
    if (writer == NULL) {
        return;
    }
    stoa_buffer_release(&writer->directory);
    stoa_buffer_release(&writer->ranges);
    stoa_buffer_release(&writer->hashes);
    stoa_pool_free(writer->context.pool, writer, sizeof *writer);
}

static void count_sequences(stoa_sst_summary *summary, uint64_t least, uint64_t greatest) {
    summary->sequence_min = least < summary->sequence_min ? least : summary->sequence_min;
    summary->sequence_max = greatest > summary->sequence_max ? greatest : summary->sequence_max;
}

/* The first key may be the last one of the stripe before. */
static stoa_status add_hashes(stoa_sst_writer *writer, const stoa_buffer *hashes, stoa_error *err) {
    stoa_buffer *all = &writer->hashes;
    const size_t size = sizeof(uint64_t);
    const bool repeats = all->size > 0 &&
                         memcmp(all->data + all->size - size, hashes->data, size) == 0;
    return stoa_buffer_append(all, hashes->data + (repeats ? size : 0),
                              hashes->size - (repeats ? size : 0), err);
}

stoa_status stoa_sst_writer_add(stoa_sst_writer *writer, const stoa_sst_stripe *stripe,
                                stoa_error *err) {
    stoa_sst_entry entry;
    STOA_ASSERT(writer->summary.stripe_count == 0 || stripe->codec == writer->codec);
    STOA_TRY(stoa_cancel_check(writer->context.cancel, err));
    writer->codec = stripe->codec;
    memcpy(&entry, stripe->entry.data, sizeof entry);
    entry.offset = writer->offset;
    if (writer->filter_bits > 0) {
        STOA_TRY(add_hashes(writer, &stripe->hashes, err));
    }
    STOA_TRY(write_bytes(writer, stripe->bytes.data, stripe->bytes.size, err));
    STOA_TRY(stoa_buffer_append(&writer->directory, &entry, sizeof entry, err));
    STOA_TRY(stoa_buffer_append(&writer->directory, stripe->entry.data + sizeof entry,
                                stripe->entry.size - sizeof entry, err));
    writer->summary.row_count += entry.row_count;
    writer->summary.stripe_count++;
    writer->summary.delete_count += entry.delete_count;
    count_sequences(&writer->summary, entry.sequence_min, entry.sequence_max);
    return STOA_OK;
}

stoa_status stoa_sst_writer_add_range(stoa_sst_writer *writer, const stoa_key_range *range,
                                      stoa_error *err) {
    const size_t to_size = range->to_end ? 0 : range->to_size;
    STOA_ASSERT(range->sequence > 0);
    if (range->from_size > STOA_KEY_BYTES_MAX || to_size > STOA_KEY_BYTES_MAX) {
        return stoa_fail(err, STOA_INVALID,
                         "range of deletions: expected keys of at most %d bytes but found %zu",
                         STOA_KEY_BYTES_MAX,
                         range->from_size > to_size ? range->from_size : to_size);
    }
    const stoa_sst_range head = {range->sequence, (uint32_t)range->from_size, (uint32_t)to_size,
                                 range->to_end, 0};
    const size_t before = writer->ranges.size;
    STOA_TRY(stoa_buffer_reserve(&writer->ranges,
                                 sizeof head + stoa_sst_aligned(head.from_size + to_size), err));
    /* There is room for all of it. */
    STOA_TRY(stoa_buffer_append(&writer->ranges, &head, sizeof head, err));
    STOA_TRY(stoa_buffer_append(&writer->ranges, range->from, head.from_size, err));
    STOA_TRY(stoa_buffer_append(&writer->ranges, range->to, to_size, err));
    STOA_TRY(pad(&writer->ranges, err));
    STOA_ASSERT((writer->ranges.size - before) % STOA_SST_ALIGNMENT == 0);
    writer->summary.range_count++;
    writer->summary.delete_count++;
    count_sequences(&writer->summary, range->sequence, range->sequence);
    return STOA_OK;
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static stoa_sst_codec_number codec_number(stoa_compression codec) {
    switch (codec) {
    case STOA_COMPRESSION_LZ4_RAW: return STOA_SST_CODEC_LZ4;
    case STOA_COMPRESSION_ZSTD: return STOA_SST_CODEC_ZSTD;
    default: STOA_ASSERT(codec == STOA_COMPRESSION_NONE); return STOA_SST_CODEC_NONE;
    }
}

static stoa_status make_about(const stoa_sst_writer *writer, stoa_buffer *out, stoa_error *err) {
    const stoa_stripe_layout *layout = writer->layout;
    const stoa_key_format *key = layout->key;
    stoa_sst_about about = {
        .row_count = writer->summary.row_count,
        .stripe_count = writer->summary.stripe_count,
        .delete_count = writer->summary.delete_count,
        .range_count = writer->summary.range_count,
        .sequence_min = writer->summary.sequence_min,
        .sequence_max = writer->summary.sequence_max,
        .segment_count = (uint32_t)layout->segment_count,
        .column_count = (uint32_t)layout->schema->root.child_count,
        .key_count = (uint32_t)key->part_count,
        .codec = codec_number(writer->codec),
    };
    STOA_TRY(stoa_buffer_append(out, &about, sizeof about, err));
    STOA_TRY(stoa_schema_to_json(layout->schema, out, err));
    about.schema_size = (uint32_t)(out->size - sizeof about);
    memcpy(out->data, &about, sizeof about);
    for (int32_t i = 0; i < key->part_count; i++) {
        const int32_t part[2] = {key->parts[i].field->id, key->parts[i].descending};
        STOA_TRY(stoa_buffer_append(out, part, sizeof part, err));
    }
    return pad(out, err);
}

/* Blocks are asked for before their hashes' turn: a large filter is in no near cache. */
static stoa_status fill_filter(const stoa_sst_writer *writer, uint8_t *blocks, size_t block_count,
                               stoa_error *err) {
    const stoa_bloom_filter filter = {blocks, block_count};
    const uint64_t *hashes = (const uint64_t *)(const void *)writer->hashes.data;
    const size_t keys = writer->hashes.size / sizeof *hashes;
    for (size_t i = 0; i < keys; i++) {
        if (i % FILTER_CHUNK == 0) {
            STOA_TRY(stoa_cancel_check(writer->context.cancel, err));
        }
        if (i + FILTER_AHEAD < keys) {
            __builtin_prefetch(stoa_bloom_block(&filter, hashes[i + FILTER_AHEAD]), 1);
        }
        stoa_bloom_insert(blocks, block_count, hashes[i]);
    }
    return STOA_OK;
}

/* In place of what `out` held. */
static stoa_status make_filter(const stoa_sst_writer *writer, stoa_buffer *out, stoa_error *err) {
    const size_t keys = writer->hashes.size / sizeof(uint64_t);
    const size_t block_bits = STOA_BLOOM_BLOCK_BYTES * 8;
    const size_t blocks_at = (size_t)writer->offset + sizeof(stoa_sst_filter);
    const size_t block_count = (keys * (size_t)writer->filter_bits + block_bits - 1) / block_bits;
    const stoa_sst_filter filter = {STOA_SST_HASH_XXH3,
                                    (uint32_t)(0 - blocks_at) % STOA_SST_FILTER_ALIGNMENT,
                                    block_count};
    if (block_count > UINT32_MAX) {
        return stoa_fail(err, STOA_LIMIT, "expected fewer keys in one SSTable than %zu", keys);
    }
    stoa_buffer_clear(out);
    STOA_TRY(stoa_buffer_append(out, &filter, sizeof filter, err));
    STOA_TRY(stoa_buffer_append_fill(out, 0, filter.padding + block_count * STOA_BLOOM_BLOCK_BYTES,
                                     err));
    return fill_filter(writer, out->data + sizeof filter + filter.padding, block_count, err);
}

static stoa_status write_section(stoa_sst_writer *writer, stoa_sst_section_kind kind,
                                 const stoa_buffer *bytes, stoa_error *err) {
    STOA_ASSERT(bytes->size % STOA_SST_ALIGNMENT == 0);
    writer->sections[writer->section_count++] = (stoa_sst_section){
        .kind = kind,
        .flags = kind == STOA_SST_FILTER ? 0 : STOA_SST_SECTION_REQUIRED,
        .offset = writer->offset,
        .size = bytes->size,
        .crc = stoa_crc32c(0, bytes->data, bytes->size),
    };
    return write_bytes(writer, bytes->data, bytes->size, err);
}

static stoa_status write_ends(stoa_sst_writer *writer, stoa_buffer *bytes, stoa_error *err) {
    stoa_sst_footer footer = {.version = STOA_SST_VERSION, .magic = STOA_SST_MAGIC};
    STOA_TRY(write_section(writer, STOA_SST_DIRECTORY, &writer->directory, err));
    STOA_TRY(make_about(writer, bytes, err));
    STOA_TRY(write_section(writer, STOA_SST_ABOUT, bytes, err));
    if (writer->ranges.size > 0) {
        STOA_TRY(write_section(writer, STOA_SST_RANGES, &writer->ranges, err));
    }
    if (writer->hashes.size > 0) {
        STOA_TRY(make_filter(writer, bytes, err));
        STOA_TRY(write_section(writer, STOA_SST_FILTER, bytes, err));
    }
    const size_t size = writer->section_count * sizeof *writer->sections;
    footer.sections_offset = writer->offset;
    footer.section_count = writer->section_count;
    footer.sections_crc = stoa_crc32c(0, writer->sections, size);
    STOA_TRY(write_bytes(writer, writer->sections, size, err));
    footer.crc = stoa_crc32c(0, &footer, offsetof(stoa_sst_footer, crc));
    STOA_TRY(write_bytes(writer, &footer, sizeof footer, err));
    return stoa_file_sync(writer->file, err);
}

stoa_status stoa_sst_writer_finish(stoa_sst_writer *writer, stoa_sst_summary *out,
                                   stoa_error *err) {
    stoa_buffer bytes;
    stoa_buffer_init(&bytes, writer->context.pool);
    const stoa_status status = write_ends(writer, &bytes, err);
    stoa_buffer_release(&bytes);
    if (status != STOA_OK) {
        return status;
    }
    writer->summary.file_bytes = writer->offset;
    *out = writer->summary;
    return STOA_OK;
}
