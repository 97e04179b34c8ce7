/* The file ends in: footer (thrift) | its length, 4 bytes | "PAR1". The length is checked against the
 * file, counts against the bytes that are left for their items, and everything is parsed into one
 * arena, so hostile input can neither make us allocate much nor recurse.
 *
 * Source   Apache Parquet format 2.11, "parquet.thrift": FileMetaData */
#include "parquet/footer.h"

#include "base/bytes.h"
#include "parquet/footer_parse.h"

/* The fewest bytes that a struct of each kind can take with the fields that must be there; they bound
 * how much memory a footer can ask for. */
enum { ELEMENT_BYTES_MIN = 4, GROUP_BYTES_MIN = 7, CHUNK_BYTES_MIN = 16 };
enum { END_BYTES = 64 << 10 };

/* ---- Schema elements ------------------------------------------------------------------------- */

static void read_integer_type(stoa_thrift_reader *reader, stoa_parquet_element *out) {
    stoa_thrift_type type;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        switch (id) {
        case 1: out->logical_bits = stoa_thrift_read_i8(reader, type); break;
        case 2: out->logical_signed = stoa_thrift_read_bool(reader, type); break;
        default: stoa_thrift_skip(reader, type); break;
        }
    }
}

static void read_time_type(stoa_thrift_reader *reader, stoa_parquet_element *out) {
    stoa_thrift_type type;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        if (id == 1) {
            out->logical_utc = stoa_thrift_read_bool(reader, type);
        } else if (id == 2 && stoa_thrift_enter_struct(reader, type)) {
            for (int16_t unit = 0; stoa_thrift_next_field(reader, &unit, &type);) {
                out->logical_unit = unit;
                stoa_thrift_skip(reader, type);
            }
        } else {
            stoa_thrift_skip(reader, type);
        }
    }
}

static void read_geo_type(stoa_footer_parse *parse, stoa_parquet_element *out) {
    stoa_thrift_type type;
    for (int16_t id = 0; stoa_thrift_next_field(&parse->reader, &id, &type);) {
        switch (id) {
        case 1: out->crs = stoa_footer_read_text(parse, type, NULL); break;
        case 2: out->edges = stoa_thrift_read_i32(&parse->reader, type); break;
        default: stoa_thrift_skip(&parse->reader, type); break;
        }
    }
}

static void read_logical_type(stoa_footer_parse *parse, stoa_parquet_element *out) {
    stoa_thrift_reader *reader = &parse->reader;
    stoa_thrift_type type;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        out->logical = id;
        const bool is_struct = type == STOA_THRIFT_STRUCT;
        if (is_struct && id == STOA_PARQUET_LOGICAL_INTEGER) {
            read_integer_type(reader, out);
        } else if (is_struct &&
                   (id == STOA_PARQUET_LOGICAL_TIME || id == STOA_PARQUET_LOGICAL_TIMESTAMP)) {
            read_time_type(reader, out);
        } else if (is_struct && (id == STOA_PARQUET_LOGICAL_GEOMETRY ||
                                 id == STOA_PARQUET_LOGICAL_GEOGRAPHY)) {
            read_geo_type(parse, out);
        } else {
            stoa_thrift_skip(reader, type);
        }
    }
}

static void read_element(stoa_footer_parse *parse, stoa_parquet_element *out) {
    stoa_thrift_reader *reader = &parse->reader;
    stoa_thrift_type type;
    *out = (stoa_parquet_element){.physical = -1, .converted = -1, .field_id = -1};
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        switch (id) {
        case 1: out->physical = stoa_thrift_read_i32(reader, type); break;
        case 2: out->type_length = stoa_thrift_read_i32(reader, type); break;
        case 3: out->repetition = stoa_thrift_read_i32(reader, type); break;
        case 4: out->name = stoa_footer_read_text(parse, type, NULL); break;
        case 5: out->child_count = stoa_thrift_read_i32(reader, type); break;
        case 6: out->converted = stoa_thrift_read_i32(reader, type); break;
        case 7: out->scale = stoa_thrift_read_i32(reader, type); break;
        case 8: out->precision = stoa_thrift_read_i32(reader, type); break;
        case 9: out->field_id = stoa_thrift_read_i32(reader, type); break;
        case 10:
            if (stoa_thrift_enter_struct(reader, type)) {
                read_logical_type(parse, out);
            }
            break;
        default: stoa_thrift_skip(reader, type); break;
        }
    }
    if (out->name == NULL) {
        stoa_thrift_fail(reader, "expected a schema element with a name");
    } else if (out->child_count < 0 || (out->child_count > 0 && out->physical >= 0)) {
        stoa_thrift_fail(reader, "expected a schema element with a type or with children");
    } else if (out->repetition < STOA_PARQUET_REQUIRED || out->repetition > STOA_PARQUET_REPEATED) {
        stoa_thrift_fail(reader, "expected a schema element's repetition");
    } else if (stoa_parquet_physical_name(out->physical) == NULL && out->physical != -1) {
        stoa_thrift_fail(reader, "expected a physical type");
    } else if (out->physical == STOA_PARQUET_FIXED && out->type_length < 0) {
        stoa_thrift_fail(reader, "expected a length that is not negative");
    }
}

static void read_elements(stoa_footer_parse *parse, stoa_thrift_type type) {
    const size_t count =
        stoa_thrift_read_list(&parse->reader, type, STOA_THRIFT_STRUCT, ELEMENT_BYTES_MIN);
    if (count > INT32_MAX || parse->footer->elements != NULL) {
        stoa_thrift_fail(&parse->reader, "expected one list of schema elements");
        return;
    }
    stoa_parquet_element *elements = stoa_footer_take_memory(parse, count, sizeof *elements);
    for (size_t i = 0; i < count && parse->reader.problem == NULL; i++) {
        read_element(parse, &elements[i]);
    }
    parse->footer->elements = elements;
    parse->footer->element_count = (int32_t)count;
}

/* ---- Row groups ------------------------------------------------------------------------------ */

void stoa_footer_read_column_metadata(stoa_footer_parse *parse, stoa_parquet_column *out) {
    stoa_thrift_reader *reader = &parse->reader;
    stoa_thrift_type type;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        switch (id) {
        case 1: out->physical = stoa_thrift_read_i32(reader, type); break;
        case 2: stoa_footer_read_encodings(parse, type, out); break;
        case 4: out->compression = stoa_thrift_read_i32(reader, type); break;
        case 5: out->value_count = stoa_thrift_read_i64(reader, type); break;
        case 6: out->uncompressed_bytes = stoa_thrift_read_i64(reader, type); break;
        case 7: out->compressed_bytes = stoa_thrift_read_i64(reader, type); break;
        case 9: out->data_offset = stoa_thrift_read_i64(reader, type); break;
        case 11: out->dictionary_offset = stoa_thrift_read_i64(reader, type); break;
        case 12:
            if (stoa_thrift_enter_struct(reader, type)) {
                stoa_footer_read_statistics(parse, out);
            }
            break;
        default: stoa_footer_read_extra(parse, id, type, out); break;
        }
    }
}

/* Some writers put 0 where there is no dictionary page; no page can begin within the magic. */
void stoa_footer_check_column(stoa_footer_parse *parse, stoa_parquet_column *out) {
    const uint64_t end = parse->footer->footer_offset;
    if (out->dictionary_offset < STOA_PARQUET_MAGIC_BYTES) {
        out->dictionary_offset = -1;
    }
    out->offset = (uint64_t)out->data_offset;
    if (out->data_offset < STOA_PARQUET_MAGIC_BYTES && out->value_count == 0) {
        /* A chunk without values may have a dictionary page and nothing else. */
        out->offset = out->dictionary_offset >= 0 ? (uint64_t)out->dictionary_offset : end;
    }
    if (out->offset < STOA_PARQUET_MAGIC_BYTES || out->offset > end) {
        stoa_thrift_fail(&parse->reader, "expected a column chunk within the file");
        return;
    }
    if (out->dictionary_offset >= 0 && (uint64_t)out->dictionary_offset < out->offset) {
        out->offset = (uint64_t)out->dictionary_offset;
    }
    if (out->compressed_bytes < 0 || (uint64_t)out->compressed_bytes > end - out->offset) {
        stoa_thrift_fail(&parse->reader, "expected a column chunk within the file");
    } else if (out->value_count < 0 || out->uncompressed_bytes < 0) {
        stoa_thrift_fail(&parse->reader, "expected counts that are not negative");
    }
}

static void read_column(stoa_footer_parse *parse, stoa_parquet_column *out) {
    stoa_thrift_reader *reader = &parse->reader;
    stoa_thrift_type type;
    *out = (stoa_parquet_column){.dictionary_offset = -1,
                                 .physical = -1,
                                 .byte_array_bytes = -1,
                                 .bloom = {-1, -1},
                                 .offset_index = {-1, -1},
                                 .column_index = {-1, -1}};
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        if (id == 3 && stoa_thrift_enter_struct(reader, type)) {
            stoa_footer_read_column_metadata(parse, out);
            out->crypto.has_metadata = true;
        } else if (id == 4) {
            out->offset_index.offset = stoa_thrift_read_i64(reader, type);
        } else if (id == 5) {
            out->offset_index.bytes = stoa_thrift_read_i32(reader, type);
        } else if (id == 6) {
            out->column_index.offset = stoa_thrift_read_i64(reader, type);
        } else if (id == 7) {
            out->column_index.bytes = stoa_thrift_read_i32(reader, type);
        } else if (id == 8) {
            stoa_footer_read_column_crypto(parse, type, out);
        } else if (id == 9) {
            stoa_footer_read_sealed(parse, type, out);
        } else {
            stoa_thrift_skip(reader, type);
        }
    }
    if (reader->problem == NULL && !out->crypto.has_metadata &&
        (!out->crypto.is_encrypted || out->crypto.sealed == NULL)) {
        stoa_thrift_fail(reader, "expected a column chunk's metadata");
    }
    if (reader->problem == NULL && out->crypto.has_metadata) {
        stoa_footer_check_column(parse, out);
    }
}

static void settle_statistics(const stoa_parquet_footer *footer, stoa_parquet_column *columns,
                              size_t count) {
    for (size_t i = 0; columns != NULL && i < count && i < (size_t)footer->leaf_count; i++) {
        stoa_footer_settle_statistics(&footer->elements[footer->leaves[i].element], &columns[i]);
    }
}

static void read_group(stoa_footer_parse *parse, stoa_parquet_group *out) {
    stoa_thrift_reader *reader = &parse->reader;
    stoa_thrift_type type;
    size_t count = 0;
    out->ordinal = -1;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        if (id == 1 && out->columns == NULL) {
            count = stoa_thrift_read_list(reader, type, STOA_THRIFT_STRUCT, CHUNK_BYTES_MIN);
            stoa_parquet_column *columns = stoa_footer_take_memory(parse, count, sizeof *columns);
            for (size_t i = 0; i < count && reader->problem == NULL; i++) {
                read_column(parse, &columns[i]);
            }
            settle_statistics(parse->footer, columns, count);
            out->columns = columns;
        } else if (id == 2) {
            out->uncompressed_bytes = stoa_thrift_read_i64(reader, type);
        } else if (id == 3) {
            out->row_count = stoa_thrift_read_i64(reader, type);
        } else if (id == 4 && type == STOA_THRIFT_LIST) {
            stoa_footer_read_sorting(parse, type, out);
        } else {
            stoa_thrift_skip(reader, type);
        }
    }
    if (reader->problem == NULL && count != (size_t)parse->footer->leaf_count) {
        stoa_thrift_fail(reader, "expected a row group with a chunk for every column");
    } else if (reader->problem == NULL && out->row_count < 0) {
        stoa_thrift_fail(reader, "expected a row count that is not negative");
    }
}

static bool list_leaves(stoa_footer_parse *parse);

static void read_groups(stoa_footer_parse *parse, stoa_thrift_type type) {
    const size_t count =
        stoa_thrift_read_list(&parse->reader, type, STOA_THRIFT_STRUCT, GROUP_BYTES_MIN);
    if (parse->reader.problem != NULL || !list_leaves(parse)) {
        return;
    }
    if (parse->footer->groups != NULL || count > INT32_MAX) {
        stoa_thrift_fail(&parse->reader, "expected one list of row groups");
        return;
    }
    stoa_parquet_group *groups = stoa_footer_take_memory(parse, count, sizeof *groups);
    for (size_t i = 0; i < count && parse->reader.problem == NULL; i++) {
        read_group(parse, &groups[i]);
    }
    parse->footer->groups = groups;
    parse->footer->group_count = (int32_t)count;
}

/* ---- The tree of elements -------------------------------------------------------------------- */

struct open_group {
    int32_t element;
    int32_t left; /* children that are still to come */
    int32_t definition;
    int32_t repetition;
};

static const char *join_path(stoa_footer_parse *parse, const struct open_group *path, int depth,
                             int32_t leaf) {
    const stoa_parquet_element *elements = parse->footer->elements;
    size_t size = strlen(elements[leaf].name) + 1;
    for (int i = 1; i < depth; i++) {
        size += strlen(elements[path[i].element].name) + 1;
    }
    char *text = stoa_footer_take_memory(parse, size, 1);
    if (text == NULL) {
        return NULL;
    }
    char *at = text;
    for (int i = 1; i < depth; i++) {
        const size_t length = strlen(elements[path[i].element].name);
        memcpy(at, elements[path[i].element].name, length);
        at += length;
        *at++ = '.';
    }
    memcpy(at, elements[leaf].name, strlen(elements[leaf].name) + 1);
    return text;
}

/* Elements stand in depth-first order, each with the number of its children: a stack of open groups
 * walks the tree without recursion. False after a failure; done once. */
static bool list_leaves(stoa_footer_parse *parse) {
    stoa_parquet_footer *footer = parse->footer;
    stoa_thrift_reader *reader = &parse->reader;
    if (footer->leaves != NULL) {
        return true;
    }
    if (footer->element_count < 1 || footer->elements[0].physical != -1) {
        stoa_thrift_fail(reader, "expected a schema before the row groups");
        return false;
    }
    stoa_parquet_leaf *leaves = stoa_footer_take_memory(parse, (size_t)footer->element_count, sizeof *leaves);
    struct open_group path[STOA_PARQUET_TREE_DEPTH_MAX] = {{0, footer->elements[0].child_count, 0, 0}};
    int depth = 1;
    size_t name_bytes = 0; /* paths repeat the names above them; keep their sum within reason */
    for (int32_t i = 1; i < footer->element_count && reader->problem == NULL; i++) {
        const stoa_parquet_element *element = &footer->elements[i];
        while (depth > 0 && path[depth - 1].left == 0) {
            depth--;
        }
        if (depth == 0 || depth == STOA_PARQUET_TREE_DEPTH_MAX) {
            stoa_thrift_fail(reader, "expected schema elements that make one tree");
            break;
        }
        struct open_group *parent = &path[depth - 1];
        parent->left--;
        const struct open_group group = {
            i, element->child_count,
            parent->definition + (element->repetition != STOA_PARQUET_REQUIRED),
            parent->repetition + (element->repetition == STOA_PARQUET_REPEATED)};
        if (element->physical == -1 && element->child_count > 0) {
            path[depth++] = group;
            continue;
        }
        if (element->physical == -1) {
            stoa_thrift_fail(reader, "expected a group with children");
            break;
        }
        const char *name = join_path(parse, path, depth, i);
        name_bytes += name != NULL ? strlen(name) : 0;
        if (name_bytes > (size_t)64 << 20) {
            stoa_thrift_fail(reader, "expected shorter column paths");
        }
        leaves[footer->leaf_count++] =
            (stoa_parquet_leaf){name, i, group.definition, group.repetition};
    }
    for (int i = 0; i < depth && reader->problem == NULL; i++) {
        if (path[i].left != 0) {
            stoa_thrift_fail(reader, "expected schema elements that make one tree");
        }
    }
    footer->leaves = leaves;
    return reader->problem == NULL;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void read_file_metadata(stoa_footer_parse *parse) {
    stoa_thrift_reader *reader = &parse->reader;
    stoa_parquet_footer *footer = parse->footer;
    stoa_thrift_type type;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        switch (id) {
        case 1: footer->version = stoa_thrift_read_i32(reader, type); break;
        case 2: read_elements(parse, type); break;
        case 3: footer->row_count = stoa_thrift_read_i64(reader, type); break;
        case 4: read_groups(parse, type); break;
        case 5: stoa_footer_read_pairs(parse, type, &footer->pairs, &footer->pair_count); break;
        case 6: footer->created_by = stoa_footer_read_text(parse, type, NULL); break;
        case 7:
            if (list_leaves(parse)) {
                stoa_footer_read_orders(parse, type);
            }
            break;
        case 8: stoa_footer_read_algorithm(parse, type); break;
        case 9: stoa_footer_read_key_metadata(parse, type); break;
        default: stoa_thrift_skip(reader, type); break;
        }
    }
    if (reader->problem == NULL && list_leaves(parse) && footer->groups == NULL) {
        stoa_thrift_fail(reader, "expected a list of row groups");
    }
}

static stoa_status fail_at(stoa_file *file, uint64_t offset, const char *problem, stoa_error *err) {
    stoa_fail(err, STOA_CORRUPT, "footer at byte %" PRIu64 ": %s", offset, problem);
    stoa_error_set_file(err, file->uri, (int64_t)offset);
    return STOA_CORRUPT;
}

/* Clear footers are parsed, then what is encrypted in them. */
static stoa_status parse_footer(const stoa_context *context, stoa_file *file,
                                const stoa_parquet_keys *keys, stoa_buffer *bytes,
                                stoa_parquet_footer *out, stoa_error *err) {
    if (out->is_encrypted) {
        STOA_TRY(stoa_footer_open_sealed(context, out, keys, bytes, err));
    }
    stoa_footer_parse parse = {stoa_thrift_reader_of(bytes->data, bytes->size), out, STOA_OK, err};
    read_file_metadata(&parse);
    STOA_TRY(parse.status);
    if (parse.reader.problem != NULL) {
        return fail_at(file, out->footer_offset + parse.reader.bytes.position,
                       parse.reader.problem, err);
    }
    return stoa_footer_unlock(context, out, keys, bytes->data, bytes->size,
                              parse.reader.bytes.position, err);
}

/* Reads the file's end, which is likely to hold the footer: one request of a file that is far away. */
static stoa_status read_end(stoa_file *file, stoa_parquet_footer *out, stoa_buffer *bytes,
                            stoa_error *err) {
    STOA_TRY(stoa_file_size(file, &out->file_bytes, err));
    if (out->file_bytes < STOA_PARQUET_MAGIC_BYTES + STOA_PARQUET_TAIL_BYTES) {
        stoa_fail(err, STOA_CORRUPT, "expected a Parquet file of at least %d bytes but found %"
                  PRIu64, (int)(STOA_PARQUET_MAGIC_BYTES + STOA_PARQUET_TAIL_BYTES),
                  out->file_bytes);
        stoa_error_set_file(err, file->uri, 0);
        return STOA_CORRUPT;
    }
    const size_t size = out->file_bytes < END_BYTES ? (size_t)out->file_bytes : END_BYTES;
    STOA_TRY(stoa_buffer_reserve_exact(bytes, size, err));
    STOA_TRY(stoa_file_read(file, out->file_bytes - size, bytes->data, size, err));
    bytes->size = size;
    return STOA_OK;
}

/* Checks magic and length at the end of `bytes`; `*out_size` is the footer's. */
static stoa_status read_tail(stoa_file *file, stoa_parquet_footer *out, const stoa_buffer *bytes,
                             size_t *out_size, stoa_error *err) {
    const uint8_t *tail = bytes->data + bytes->size - STOA_PARQUET_TAIL_BYTES;
    const uint64_t at = out->file_bytes - STOA_PARQUET_TAIL_BYTES;
    out->is_encrypted =
        memcmp(tail + 4, STOA_PARQUET_MAGIC_ENCRYPTED, STOA_PARQUET_MAGIC_BYTES) == 0;
    if (!out->is_encrypted &&
        memcmp(tail + 4, STOA_PARQUET_MAGIC, STOA_PARQUET_MAGIC_BYTES) != 0) {
        return fail_at(file, at + 4, "expected 'PAR1' at the end of a Parquet file", err);
    }
    const uint32_t size = stoa_load_u32(tail);
    if (size > at - STOA_PARQUET_MAGIC_BYTES) {
        return fail_at(file, at, "its length is more than the file holds", err);
    }
    out->footer_offset = at - size;
    *out_size = size;
    return STOA_OK;
}

/* Leaves the footer alone in `bytes`. */
static stoa_status read_footer(stoa_file *file, stoa_parquet_footer *out, stoa_buffer *bytes,
                               stoa_error *err) {
    size_t size = 0;
    STOA_TRY(read_end(file, out, bytes, err));
    STOA_TRY(read_tail(file, out, bytes, &size, err));
    if (size + STOA_PARQUET_TAIL_BYTES <= bytes->size) {
        memmove(bytes->data, bytes->data + bytes->size - STOA_PARQUET_TAIL_BYTES - size, size);
    } else {
        stoa_buffer_clear(bytes);
        STOA_TRY(stoa_buffer_reserve_exact(bytes, size, err));
        STOA_TRY(stoa_file_read(file, out->footer_offset, bytes->data, size, err));
    }
    bytes->size = size;
    return STOA_OK;
}

stoa_status stoa_parquet_footer_read(const stoa_context *context, stoa_file *file,
                                     const stoa_parquet_keys *keys, stoa_parquet_footer *out,
                                     stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_buffer bytes;
    stoa_buffer_init(&bytes, context->pool);
    *out = (stoa_parquet_footer){0};
    stoa_arena_init(&out->arena, context->pool);

    STOA_CHECK(read_footer(file, out, &bytes, err));
    STOA_CHECK(parse_footer(context, file, keys, &bytes, out, err));

done:
    stoa_buffer_release(&bytes);
    if (status != STOA_OK) {
        stoa_parquet_footer_release(out);
    }
    return status;
}

void stoa_parquet_footer_release(stoa_parquet_footer *footer) {
    stoa_arena_release(&footer->arena);
    stoa_parquet_crypto_close(footer->crypto);
    *footer = (stoa_parquet_footer){0};
}
