/* Parquet lets fields have any name, none, or that of a sister; Stoa's schemas do not. Names are changed
 * only in schemas that would be refused otherwise. */
#include <stdio.h>
#include <stdlib.h>

#include "parquet/read_schema.h"

/* A field's name and its place among its sisters. */
struct named {
    const char *name;
    int32_t index;
};

static int compare_named(const void *left, const void *right) {
    const struct named *a = left, *b = right;
    const int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static int compare_name(const void *key, const void *item) {
    return strcmp(key, ((const struct named *)item)->name);
}

static stoa_status print_name(stoa_arena *arena, const char *base, int64_t number, const char **out,
                              stoa_error *err) {
    void *memory = NULL;
    const size_t size = strlen(base) + 24;
    STOA_TRY(stoa_arena_allocate(arena, size, &memory, err));
    (void)snprintf(memory, size, "%s_%" PRId64, base, number);
    *out = memory;
    return STOA_OK;
}

static stoa_status name_nameless(stoa_arena *arena, stoa_field *fields, int32_t count,
                                 stoa_error *err) {
    for (int32_t i = 0; i < count; i++) {
        if (fields[i].name[0] == '\0') {
            STOA_TRY(print_name(arena, "column", i + 1, &fields[i].name, err));
        }
    }
    return STOA_OK;
}

/* Numbers grow from one sister of a name to the next, so that every one is tried once. */
static stoa_status number_sisters(stoa_arena *arena, stoa_field *fields, const struct named *sorted,
                                  int32_t count, stoa_error *err) {
    int64_t number = 2;
    for (int32_t i = 1; i < count; i++) {
        if (strcmp(sorted[i].name, sorted[i - 1].name) != 0) {
            number = 2;
            continue;
        }
        const char *name;
        do {
            STOA_TRY(print_name(arena, sorted[i].name, number++, &name, err));
        } while (bsearch(name, sorted, (size_t)count, sizeof *sorted, compare_name) != NULL);
        fields[sorted[i].index].name = name;
    }
    return STOA_OK;
}

static stoa_status settle_struct(stoa_arena *arena, stoa_field *fields, int32_t count,
                                 stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(name_nameless(arena, fields, count, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count, sizeof(struct named), &memory, err));
    struct named *sorted = memory;
    for (int32_t i = 0; i < count; i++) {
        sorted[i] = (struct named){fields[i].name, i};
    }
    qsort(sorted, (size_t)count, sizeof *sorted, compare_named);
    return number_sisters(arena, fields, sorted, count, err);
}

/* As deep as the builder of the schema goes. */
stoa_status stoa_read_schema_settle_names(stoa_arena *arena, stoa_type *type, stoa_error *err) {
    stoa_field *fields = (stoa_field *)(uintptr_t)type->children; /* made by the builder */
    if (type->kind == STOA_TYPE_STRUCT && type->child_count > 0) {
        STOA_TRY(settle_struct(arena, fields, type->child_count, err));
    }
    for (int32_t i = 0; i < type->child_count; i++) {
        STOA_TRY(stoa_read_schema_settle_names(arena, &fields[i].type, err));
    }
    return STOA_OK;
}
