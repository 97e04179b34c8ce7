/* Where indexes stand is known only when the last row group is written, but the RowGroup structs are
 * kept serialized: four fields are put in before the stop of each ColumnChunk struct.
 *
 * Source   Apache Parquet format 2.12, "parquet.thrift": ColumnChunk, OffsetIndex */
#include "parquet/index_writer.h"

#include "base/bytes.h"
#include "parquet/page_notes.h"

struct chunk_place {
    size_t struct_end;
    uint32_t column_index_bytes; /* 0: none */
    uint32_t offset_index_bytes;
};

/* Four fields of a byte of type and at most ten of value. */
enum { PLACE_BYTES_MAX = 4 * (1 + STOA_VARINT_BYTES_MAX) };

void stoa_chunk_index_init(stoa_chunk_index *index, stoa_pool *pool) {
    stoa_buffer_init(&index->marks, pool);
    stoa_buffer_init(&index->column_index, pool);
    stoa_buffer_init(&index->bloom, pool);
}

void stoa_chunk_index_release(stoa_chunk_index *index) {
    stoa_buffer_release(&index->marks);
    stoa_buffer_release(&index->column_index);
    stoa_buffer_release(&index->bloom);
}

void stoa_index_writer_init(stoa_index_writer *writer, stoa_pool *pool) {
    stoa_buffer_init(&writer->column_indexes, pool);
    stoa_buffer_init(&writer->offset_indexes, pool);
    stoa_buffer_init(&writer->chunks, pool);
}

void stoa_index_writer_release(stoa_index_writer *writer) {
    stoa_buffer_release(&writer->column_indexes);
    stoa_buffer_release(&writer->offset_indexes);
    stoa_buffer_release(&writer->chunks);
}

static stoa_status write_offset_index(const stoa_chunk_index *index, uint64_t chunk_offset,
                                      stoa_buffer *out, stoa_error *err) {
    const stoa_page_mark *marks = (const stoa_page_mark *)(const void *)index->marks.data;
    const size_t count = index->marks.size / sizeof *marks;
    bool has_bytes = false;
    stoa_thrift_writer writer;
    stoa_thrift_writer_init(&writer, out, err);
    stoa_thrift_begin_list(&writer, 1, STOA_THRIFT_STRUCT, count);
    for (size_t i = 0; i < count; i++) {
        const stoa_page_location *page = &marks[i].location;
        stoa_thrift_item_struct(&writer);
        stoa_thrift_write_i64(&writer, 1, (int64_t)(chunk_offset + page->offset));
        stoa_thrift_write_i32(&writer, 2, (int32_t)page->bytes);
        stoa_thrift_write_i64(&writer, 3, page->first_row);
        stoa_thrift_end_struct(&writer);
        has_bytes = has_bytes || marks[i].byte_array_bytes > 0;
    }
    if (has_bytes) {
        stoa_thrift_begin_list(&writer, 2, STOA_THRIFT_I64, count);
        for (size_t i = 0; i < count; i++) {
            stoa_thrift_item_i64(&writer, marks[i].byte_array_bytes);
        }
    }
    return stoa_thrift_writer_finish(&writer);
}

static stoa_status check_size(size_t size, stoa_error *err) {
    return size <= INT32_MAX ? STOA_OK
                             : stoa_fail(err, STOA_LIMIT, "the page index of a column chunk is %zu "
                                         "bytes, more than Parquet's 2 GiB", size);
}

stoa_status stoa_index_writer_add(stoa_index_writer *writer, const stoa_chunk_index *index,
                                  uint64_t chunk_offset, size_t struct_end, stoa_error *err) {
    const size_t begin = writer->offset_indexes.size;
    STOA_TRY(write_offset_index(index, chunk_offset, &writer->offset_indexes, err));
    STOA_TRY(check_size(writer->offset_indexes.size - begin, err));
    STOA_TRY(check_size(index->column_index.size, err));
    STOA_TRY(stoa_buffer_append(&writer->column_indexes, index->column_index.data,
                                index->column_index.size, err));
    const struct chunk_place place = {struct_end, (uint32_t)index->column_index.size,
                                      (uint32_t)(writer->offset_indexes.size - begin)};
    return stoa_buffer_append(&writer->chunks, &place, sizeof place, err);
}

/* A field that follows the one before it: its header, then a zigzag number. */
static uint8_t *put_field(uint8_t *at, stoa_thrift_type type, uint64_t value) {
    *at++ = (uint8_t)(1 << 4 | type);
    return at + stoa_store_varint(at, stoa_zigzag((int64_t)value));
}

stoa_status stoa_index_writer_place(const stoa_index_writer *writer, const stoa_buffer *groups,
                                    uint64_t offset, stoa_buffer *out, stoa_error *err) {
    const struct chunk_place *places = (const struct chunk_place *)(const void *)writer->chunks.data;
    const size_t count = writer->chunks.size / sizeof *places;
    uint64_t column_index = offset;
    uint64_t offset_index = offset + writer->column_indexes.size;
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t fields[PLACE_BYTES_MAX];
        uint8_t *end = put_field(fields, STOA_THRIFT_I64, offset_index);
        end = put_field(end, STOA_THRIFT_I32, places[i].offset_index_bytes);
        if (places[i].column_index_bytes > 0) {
            end = put_field(end, STOA_THRIFT_I64, column_index);
            end = put_field(end, STOA_THRIFT_I32, places[i].column_index_bytes);
        }
        STOA_TRY(stoa_buffer_append(out, groups->data + done, places[i].struct_end - done, err));
        STOA_TRY(stoa_buffer_append(out, fields, (size_t)(end - fields), err));
        done = places[i].struct_end;
        offset_index += places[i].offset_index_bytes;
        column_index += places[i].column_index_bytes;
    }
    return stoa_buffer_append(out, groups->data != NULL ? groups->data + done : NULL,
                              groups->size - done, err);
}
