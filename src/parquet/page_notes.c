/* Numbers are looked at where they lie; of strings in a dictionary each different one of a page is looked
 * at once. A chunk of one page has the bounds of its dictionary.
 *
 * Source   Apache Parquet format 2.12, "parquet.thrift": ColumnIndex */
#include "parquet/page_notes.h"

#include "parquet/value_encoder.h"

struct note {
    stoa_page_mark mark;
    stoa_leaf_statistics statistics;
};

void stoa_page_notes_init(stoa_page_notes *notes, stoa_pool *pool) {
    *notes = (stoa_page_notes){0};
    stoa_buffer_init(&notes->pages, pool);
    stoa_buffer_init(&notes->gathered, pool);
    stoa_buffer_init(&notes->seen, pool);
}

void stoa_page_notes_release(stoa_page_notes *notes) {
    stoa_buffer_release(&notes->pages);
    stoa_buffer_release(&notes->gathered);
    stoa_buffer_release(&notes->seen);
}

void stoa_page_notes_begin(stoa_page_notes *notes) {
    stoa_buffer_clear(&notes->pages);
    notes->row_count = 0;
}

static struct note *notes_of(const stoa_page_notes *notes) {
    return (struct note *)(void *)notes->pages.data;
}

static size_t note_count(const stoa_page_notes *notes) {
    return notes->pages.size / sizeof(struct note);
}

/* ---- Bounds of a page ------------------------------------------------------------------------ */

static const void *values_at(const stoa_leaf *leaf, const stoa_leaf_values *values, int64_t at) {
    const uint8_t *first = values->data;
    return first != NULL ? first + (size_t)at * stoa_leaf_stride(leaf) : NULL;
}

static stoa_status gather_views(stoa_page_notes *notes, const stoa_leaf_dictionary *dictionary,
                                const uint32_t *codes, int64_t count, int64_t *out_count,
                                stoa_error *err) {
    const stoa_bytes_view *entries = dictionary->entries;
    stoa_buffer_clear(&notes->seen);
    stoa_buffer_clear(&notes->gathered);
    STOA_TRY(stoa_buffer_append_fill(&notes->seen, 0, dictionary->entry_count, err));
    STOA_TRY(stoa_buffer_reserve(&notes->gathered, dictionary->entry_count * sizeof *entries, err));
    uint8_t *seen = notes->seen.data;
    stoa_bytes_view *out = (stoa_bytes_view *)(void *)notes->gathered.data;
    for (int64_t i = 0; i < count; i++) {
        seen[codes[i]] = 1;
    }
    int64_t found = 0;
    for (uint32_t i = 0; i < dictionary->entry_count; i++) {
        if (seen[i] != 0) {
            out[found++] = entries[i];
        }
    }
    *out_count = found;
    return STOA_OK;
}

static stoa_status bound_codes(stoa_page_notes *notes, const stoa_leaf *leaf,
                               const stoa_leaf_values *values,
                               const stoa_leaf_dictionary *dictionary,
                               const stoa_page_range *range, stoa_leaf_statistics *out,
                               stoa_error *err) {
    const uint32_t *codes = dictionary->codes + range->first_value;
    int64_t count = range->value_count;
    const void *from = dictionary->entries;
    if (count == values->value_count) {
        count = dictionary->entry_count;
    } else if (stoa_leaf_has_views(leaf)) {
        STOA_TRY(gather_views(notes, dictionary, codes, count, &count, err));
        from = notes->gathered.data;
    } else {
        from = values_at(leaf, values, range->first_value);
    }
    stoa_statistics_of_values(leaf, from, count, range->level_count, out);
    out->null_count = range->level_count - range->value_count;
    return STOA_OK;
}

static int64_t count_bytes(const stoa_leaf *leaf, const stoa_leaf_values *values,
                           const stoa_leaf_dictionary *dictionary, const stoa_page_range *range) {
    int64_t bytes = 0;
    if (leaf->value_class != STOA_LEAF_BYTES) {
        return 0;
    }
    if (dictionary == NULL) {
        const stoa_bytes_view *views = values_at(leaf, values, range->first_value);
        for (int64_t i = 0; i < range->value_count; i++) {
            bytes += (int64_t)views[i].size;
        }
        return bytes;
    }
    const stoa_bytes_view *entries = dictionary->entries;
    const uint32_t *codes = dictionary->codes + range->first_value;
    for (int64_t i = 0; i < range->value_count; i++) {
        bytes += (int64_t)entries[codes[i]].size;
    }
    return bytes;
}

stoa_status stoa_page_notes_add(stoa_page_notes *notes, const stoa_leaf *leaf,
                                const stoa_leaf_values *values,
                                const stoa_leaf_dictionary *dictionary,
                                const stoa_page_range *range, stoa_error *err) {
    struct note note = {.mark.location.first_row = notes->row_count};
    if (dictionary != NULL && range->value_count > 0) {
        STOA_TRY(bound_codes(notes, leaf, values, dictionary, range, &note.statistics, err));
    } else {
        stoa_statistics_of_values(leaf, values_at(leaf, values, range->first_value),
                                  range->value_count, range->level_count, &note.statistics);
    }
    note.mark.byte_array_bytes = count_bytes(leaf, values, dictionary, range);
    notes->row_count += range->row_count;
    return stoa_buffer_append(&notes->pages, &note, sizeof note, err);
}

void stoa_page_notes_place(stoa_page_notes *notes, int32_t page, uint64_t offset, size_t bytes) {
    stoa_page_location *location = &notes_of(notes)[page].mark.location;
    location->offset = offset;
    location->bytes = (uint32_t)bytes;
}

void stoa_page_notes_total(const stoa_page_notes *notes, const stoa_leaf *leaf,
                           stoa_leaf_statistics *out) {
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < note_count(notes); i++) {
        stoa_statistics_merge(leaf, out, &notes_of(notes)[i].statistics);
    }
}

int64_t stoa_page_notes_byte_array_bytes(const stoa_page_notes *notes) {
    int64_t bytes = 0;
    for (size_t i = 0; i < note_count(notes); i++) {
        bytes += notes_of(notes)[i].mark.byte_array_bytes;
    }
    return bytes;
}

/* ---- The column index ------------------------------------------------------------------------ */

static bool is_null_page(const struct note *note) {
    return note->statistics.null_count == note->statistics.level_count;
}

static bool has_column_index(const stoa_page_notes *notes, const stoa_leaf *leaf) {
    if (leaf->value_class == STOA_LEAF_NULL || note_count(notes) == 0) {
        return false;
    }
    for (size_t i = 0; i < note_count(notes); i++) {
        const struct note *note = &notes_of(notes)[i];
        if (note->statistics.has_nan ||
            (!is_null_page(note) && (!stoa_bound_is_known(&note->statistics.min) ||
                                     !stoa_bound_is_known(&note->statistics.max)))) {
            return false;
        }
    }
    return true;
}

/* Pages of nulls take no part; bounds that never change are ascending. */
static stoa_parquet_boundary_order boundary_order(const stoa_page_notes *notes,
                                                  const stoa_leaf *leaf) {
    const struct note *before = NULL;
    bool rises = false, falls = false;
    for (size_t i = 0; i < note_count(notes); i++) {
        const struct note *note = &notes_of(notes)[i];
        if (is_null_page(note)) {
            continue;
        }
        if (before != NULL) {
            const int min = stoa_bound_compare(leaf, &before->statistics.min, &note->statistics.min);
            const int max = stoa_bound_compare(leaf, &before->statistics.max, &note->statistics.max);
            rises = rises || min < 0 || max < 0;
            falls = falls || min > 0 || max > 0;
        }
        before = note;
    }
    if (rises && falls) {
        return STOA_PARQUET_UNORDERED;
    }
    return falls ? STOA_PARQUET_DESCENDING : STOA_PARQUET_ASCENDING;
}

static void write_bounds(stoa_thrift_writer *writer, int16_t id, const stoa_page_notes *notes) {
    stoa_thrift_begin_list(writer, id, STOA_THRIFT_BINARY, note_count(notes));
    for (size_t i = 0; i < note_count(notes); i++) {
        const struct note *note = &notes_of(notes)[i];
        const stoa_bound *bound = id == 2 ? &note->statistics.min : &note->statistics.max;
        stoa_thrift_item_binary(writer, bound->bytes, is_null_page(note) ? 0 : bound->size);
    }
}

static stoa_status write_column_index(const stoa_page_notes *notes, const stoa_leaf *leaf,
                                      stoa_buffer *out, stoa_error *err) {
    stoa_thrift_writer writer;
    stoa_thrift_writer_init(&writer, out, err);
    stoa_thrift_begin_list(&writer, 1, STOA_THRIFT_FALSE, note_count(notes));
    for (size_t i = 0; i < note_count(notes); i++) {
        stoa_thrift_item_bool(&writer, is_null_page(&notes_of(notes)[i]));
    }
    write_bounds(&writer, 2, notes);
    write_bounds(&writer, 3, notes);
    stoa_thrift_write_i32(&writer, 4, (int32_t)boundary_order(notes, leaf));
    stoa_thrift_begin_list(&writer, 5, STOA_THRIFT_I64, note_count(notes));
    for (size_t i = 0; i < note_count(notes); i++) {
        stoa_thrift_item_i64(&writer, notes_of(notes)[i].statistics.null_count);
    }
    return stoa_thrift_writer_finish(&writer);
}

stoa_status stoa_page_notes_write(const stoa_page_notes *notes, const stoa_leaf *leaf,
                                  stoa_buffer *marks, stoa_buffer *column_index,
                                  stoa_error *err) {
    STOA_TRY(stoa_buffer_reserve_exact(marks, note_count(notes) * sizeof(stoa_page_mark), err));
    for (size_t i = 0; i < note_count(notes); i++) {
        STOA_TRY(stoa_buffer_append(marks, &notes_of(notes)[i].mark, sizeof(stoa_page_mark), err));
    }
    return has_column_index(notes, leaf) ? write_column_index(notes, leaf, column_index, err)
                                         : STOA_OK;
}
