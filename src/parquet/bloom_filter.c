/* In the file a filter is a header in thrift, which says how many bytes follow it, and its blocks.
 *
 * Source   Apache Parquet format 2.12, "BloomFilter.md" */
#include "parquet/bloom_filter.h"

#include "parquet/thrift_reader.h"

enum { HEADER_BYTES_MAX = 256 };

struct header {
    int32_t bytes;
    int16_t algorithm;
    int16_t hash;
    int16_t compression;
};

/* Which member of a union is set. */
static int16_t read_union(stoa_thrift_reader *reader, stoa_thrift_type type) {
    int16_t member = -1;
    if (stoa_thrift_enter_struct(reader, type)) {
        for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
            member = id;
            stoa_thrift_skip(reader, type);
        }
    }
    return member;
}

static void read_header(stoa_thrift_reader *reader, struct header *out) {
    stoa_thrift_type type;
    *out = (struct header){-1, -1, -1, -1};
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        switch (id) {
        case 1: out->bytes = stoa_thrift_read_i32(reader, type); break;
        case 2: out->algorithm = read_union(reader, type); break;
        case 3: out->hash = read_union(reader, type); break;
        case 4: out->compression = read_union(reader, type); break;
        default: stoa_thrift_skip(reader, type); break;
        }
    }
    if (out->bytes <= 0 || out->bytes % STOA_BLOOM_BLOCK_BYTES != 0) {
        stoa_thrift_fail(reader, "expected a filter of whole blocks");
    } else if (out->algorithm < 0 || out->hash < 0 || out->compression < 0) {
        stoa_thrift_fail(reader, "expected a filter's kind, hash and compression");
    }
}

static stoa_status fail_at(stoa_file *file, uint64_t offset, const char *problem, stoa_error *err) {
    stoa_fail(err, STOA_CORRUPT, "bloom filter at byte %" PRIu64 ": %s", offset, problem);
    stoa_error_set_file(err, file->uri, (int64_t)offset);
    return STOA_CORRUPT;
}

/* Files from before the footer held a filter's length bound it by their own end. */
static stoa_status read_filter(stoa_file *file, const stoa_parquet_column *column, uint64_t offset,
                               uint64_t left, stoa_arena *arena, stoa_bloom_filter *out,
                               stoa_error *err) {
    const bool is_encrypted = column->crypto.cipher != NULL;
    uint8_t bytes[HEADER_BYTES_MAX];
    size_t size = left < sizeof bytes ? (size_t)left : sizeof bytes, used;
    struct header header;
    STOA_TRY(stoa_file_read(file, offset, bytes, size, err));
    STOA_TRY(stoa_parquet_column_decrypt(arena->pool, column,
                                         STOA_PARQUET_MODULE_BLOOM_FILTER_HEADER, bytes, &size,
                                         &used, err));
    stoa_thrift_reader reader = stoa_thrift_reader_of(bytes, size);
    read_header(&reader, &header);
    used = is_encrypted ? used : reader.bytes.position;
    const uint64_t begin = offset + used;
    if (reader.problem != NULL) {
        return fail_at(file, begin, reader.problem, err);
    }
    if (header.algorithm != 1 || header.hash != 1 || header.compression != 1) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "a bloom filter of another kind than uncompressed split blocks of XXH64");
    }
    const uint64_t stored = (uint64_t)header.bytes + (is_encrypted ? STOA_PARQUET_GCM_BYTES : 0);
    if (stored > left - used) {
        return fail_at(file, begin, "expected a filter that lies before the footer", err);
    }
    void *blocks;
    size = (size_t)stored;
    STOA_TRY(stoa_arena_allocate(arena, size, &blocks, err));
    STOA_TRY(stoa_file_read(file, begin, blocks, size, err));
    STOA_TRY(stoa_parquet_column_decrypt(arena->pool, column,
                                         STOA_PARQUET_MODULE_BLOOM_FILTER_BITSET, blocks, &size,
                                         &used, err));
    if (size != (size_t)header.bytes) {
        return fail_at(file, begin, "expected a filter of the size in its header", err);
    }
    out->blocks = blocks;
    out->block_count = size / STOA_BLOOM_BLOCK_BYTES;
    return STOA_OK;
}

stoa_status stoa_bloom_filter_read(stoa_file *file, const stoa_parquet_footer *footer,
                                   int32_t group, int32_t leaf, stoa_arena *arena,
                                   stoa_bloom_filter *out, stoa_error *err) {
    const stoa_parquet_column *column = &footer->groups[group].columns[leaf];
    const stoa_parquet_place place = column->bloom;
    const uint64_t end = footer->footer_offset;
    *out = (stoa_bloom_filter){0};
    if (place.offset <= 0 || column->crypto.is_locked) {
        return STOA_OK;
    }
    uint64_t left = end - (uint64_t)place.offset;
    if (place.offset < STOA_PARQUET_MAGIC_BYTES || (uint64_t)place.offset >= end ||
        (place.bytes > 0 && (uint64_t)place.bytes > left)) {
        return fail_at(file, end, "expected a filter that lies before the footer", err);
    }
    if (place.bytes > 0) {
        left = (uint64_t)place.bytes;
    }
    return read_filter(file, column, (uint64_t)place.offset, left, arena, out, err);
}
