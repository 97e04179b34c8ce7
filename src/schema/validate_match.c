/* Validation's first pass: names and types. Columns are found by name in any order; each Arrow type
 * must fit its field by schema/fit.h, whatever the values are. */
#include <stdio.h>
#include <string.h>

#include "schema/validate_frame.h"

static void describe_arrow(const struct ArrowSchema *arrow, const stoa_arrow_layout *layout,
                           char out[STOA_FOUND_BYTES]) {
    stoa_type type;
    switch (layout->kind) {
    case STOA_ARROW_LIST:
    case STOA_ARROW_LARGE_LIST:
    case STOA_ARROW_FIXED_LIST: (void)snprintf(out, STOA_FOUND_BYTES, "a list"); return;
    case STOA_ARROW_MAP: (void)snprintf(out, STOA_FOUND_BYTES, "a map"); return;
    case STOA_ARROW_STRUCT: (void)snprintf(out, STOA_FOUND_BYTES, "a struct"); return;
    default: break;
    }
    if (stoa_type_from_layout(arrow, layout, stoa_arrow_extension(arrow), &type, NULL) == STOA_OK) {
        (void)snprintf(out, STOA_FOUND_BYTES, "%s", stoa_type_describe(&type).text);
    } else {
        (void)snprintf(out, STOA_FOUND_BYTES, "Arrow format '%.64s'", arrow->format);
    }
}

static stoa_status match_node(const struct stoa_frame *frame, const stoa_field *field,
                              const struct ArrowSchema *arrow);

/* Names the first child that no field takes: unknown, or the second of its name. */
static stoa_status reject_extra(const struct stoa_frame *frame, const stoa_type *type,
                                const struct ArrowSchema *arrow) {
    for (int64_t i = 0; i < arrow->n_children; i++) {
        const char *name = arrow->children[i]->name == NULL ? "" : arrow->children[i]->name;
        bool named = false;
        bool taken = false;
        for (int32_t j = 0; j < type->child_count; j++) {
            if (stoa_ascii_same_word(name, strlen(name), type->children[j].name)) {
                named = true;
                taken = taken || stoa_fit_child(type, j, arrow) == i;
            }
        }
        if (!taken) {
            struct stoa_frame extra = *frame;
            extra.parent = frame;
            extra.name = name;
            extra.column_index = frame->parent == NULL ? -1 : frame->column_index;
            return stoa_frame_reject(&extra, -1, "a column of the table",
                                     named ? "a name that stands for the same column as another"
                                           : "a name that it does not have");
        }
    }
    return STOA_OK;
}

static stoa_status match_fields(const struct stoa_frame *frame, const stoa_type *type,
                                const struct ArrowSchema *arrow) {
    int64_t found = 0;
    for (int32_t i = 0; i < type->child_count; i++) {
        const stoa_field *field = &type->children[i];
        struct stoa_frame child = {.parent = frame,
                                   .name = field->name,
                                   .err = frame->err,
                                   .column_index = frame->parent == NULL ? i : frame->column_index};
        int64_t index = stoa_fit_child(type, i, arrow);
        if (index >= 0) {
            found++;
            STOA_TRY(match_node(&child, field, arrow->children[index]));
        } else if (field->required) {
            char expected[STOA_FOUND_BYTES];
            (void)snprintf(expected, sizeof expected, "%s not null",
                           stoa_type_describe(&field->type).text);
            return stoa_frame_reject(&child, -1, expected, "no column of that name");
        }
    }
    return found == arrow->n_children ? STOA_OK : reject_extra(frame, type, arrow);
}

static stoa_status match_items(const struct stoa_frame *frame, const stoa_type *type,
                               const struct ArrowSchema *arrow) {
    for (int32_t i = 0; i < type->child_count; i++) {
        struct stoa_frame child = {.parent = frame,
                                   .err = frame->err,
                                   .name = type->kind == STOA_TYPE_LIST ? NULL
                                                                        : type->children[i].name,
                                   .column_index = frame->column_index};
        STOA_TRY(match_node(&child, &type->children[i], arrow->children[i]));
    }
    return STOA_OK;
}

static stoa_status match_node(const struct stoa_frame *frame, const stoa_field *field,
                              const struct ArrowSchema *arrow) {
    stoa_arrow_layout layout;
    stoa_extension extension = stoa_arrow_extension(arrow);
    STOA_TRY(stoa_arrow_layout_parse(arrow, &layout, frame->err));
    if (layout.dictionary) {
        arrow = arrow->dictionary;
        stoa_extension inner = stoa_arrow_extension(arrow);
        extension = inner == STOA_EXTENSION_NONE ? extension : inner;
        STOA_TRY(stoa_arrow_layout_parse(arrow, &layout, frame->err));
        if (layout.dictionary) {
            return stoa_frame_reject(frame, -1, stoa_type_describe(&field->type).text,
                                     "a dictionary of dictionaries");
        }
    }
    if (stoa_fit_node(&field->type, &layout, extension) == STOA_FIT_NONE) {
        char found[STOA_FOUND_BYTES];
        describe_arrow(arrow, &layout, found);
        return stoa_frame_reject(frame, -1, stoa_type_describe(&field->type).text, found);
    }
    if (layout.kind == STOA_ARROW_NULL) {
        return STOA_OK;
    }
    switch (field->type.kind) {
    case STOA_TYPE_STRUCT: return match_fields(frame, &field->type, arrow);
    case STOA_TYPE_LIST: return match_items(frame, &field->type, arrow);
    case STOA_TYPE_MAP: return match_items(frame, &field->type, stoa_arrow_entries(arrow));
    default: return STOA_OK;
    }
}

stoa_status stoa_validate_match(const struct stoa_frame *root, const stoa_type *type,
                                const struct ArrowSchema *arrow) {
    return match_fields(root, type, arrow);
}
