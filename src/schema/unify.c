/* Uniting schemas. Recursion is bounded by the depth of schemas, which their making limits. */
#include "schema/unify.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "schema/fit.h"
#include "schema/schema.h"

/* ---- which field is which ------------------------------------------------------------------- */

static int32_t child_named(const stoa_type *type, const char *name, size_t size, bool exactly,
                           int32_t *out_count) {
    int32_t found = -1;
    *out_count = 0;
    for (int32_t i = 0; i < type->child_count; i++) {
        const char *other = type->children[i].name;
        if (exactly ? strcmp(other, name) == 0 : stoa_ascii_same_word(name, size, other)) {
            found = i;
            ++*out_count;
        }
    }
    return found;
}

int32_t stoa_type_match_child(const stoa_type *type, const stoa_type *other,
                              const stoa_field *field, stoa_field_match match) {
    const int32_t hint = (int32_t)(field - other->children); /* mostly both have the same order */
    int32_t count;
    if (match == STOA_MATCH_BY_ID) {
        if (hint < type->child_count && type->children[hint].id == field->id) {
            return hint;
        }
        for (int32_t i = 0; i < type->child_count; i++) {
            if (type->children[i].id == field->id) {
                return i;
            }
        }
        return -1;
    }
    if (hint < type->child_count && strcmp(type->children[hint].name, field->name) == 0) {
        return hint;
    }
    const size_t size = strlen(field->name);
    int32_t found = child_named(type, field->name, size, true, &count);
    if (found >= 0) {
        return found;
    }
    found = child_named(type, field->name, size, false, &count);
    if (found < 0 || count > 1) {
        return -1;
    }
    (void)child_named(other, field->name, size, false, &count);
    return count == 1 ? found : -1;
}

/* ---- types ---------------------------------------------------------------------------------- */

bool stoa_type_widens(const stoa_type *from, const stoa_type *to) {
    char format[STOA_ARROW_FORMAT_BYTES];
    stoa_arrow_layout layout;
    if (from->kind == STOA_TYPE_UNKNOWN) {
        return true;
    }
    stoa_type_arrow_format(from, format);
    const struct ArrowSchema arrow = {.format = format};
    return stoa_arrow_layout_parse(&arrow, &layout, NULL) == STOA_OK &&
           stoa_fit_node(to, &layout,
                         from->kind == STOA_TYPE_UUID ? STOA_EXTENSION_UUID
                                                      : STOA_EXTENSION_NONE) != STOA_FIT_NONE;
}

static int32_t larger(int32_t left, int32_t right) {
    return left > right ? left : right;
}

/* The narrowest type that holds the values of both; false: there is none. */
static bool common_type(const stoa_type *left, const stoa_type *right, stoa_type *out) {
    static const stoa_type_kind wider[] = {STOA_TYPE_INT16, STOA_TYPE_INT, STOA_TYPE_LONG,
                                           STOA_TYPE_FLOAT, STOA_TYPE_DOUBLE};
    if (stoa_type_widens(right, left)) {
        *out = *left;
        return true;
    }
    if (stoa_type_widens(left, right)) {
        *out = *right;
        return true;
    }
    if (left->kind == STOA_TYPE_DECIMAL && right->kind == STOA_TYPE_DECIMAL) {
        *out = *left;
        out->scale = larger(left->scale, right->scale);
        out->precision = out->scale +
                         larger(left->precision - left->scale, right->precision - right->scale);
        return out->precision <= STOA_DECIMAL_DIGITS_MAX;
    }
    for (size_t i = 0; i < sizeof wider / sizeof wider[0]; i++) {
        *out = (stoa_type){.kind = wider[i]};
        if (stoa_type_widens(left, out) && stoa_type_widens(right, out)) {
            return true;
        }
    }
    return false;
}

/* ---- fields --------------------------------------------------------------------------------- */

struct unifier {
    stoa_arena arena;
    stoa_field_match match;
    stoa_error *err;
};

/* The names on the way to a field, for messages. */
struct path {
    const struct path *parent;
    const char *name;
};

static void print_path(const struct path *path, char *out, size_t capacity) {
    if (path->parent != NULL) {
        print_path(path->parent, out, capacity);
    }
    const size_t used = strlen(out);
    (void)snprintf(out + used, capacity - used, "%s%s", used > 0 ? "." : "", path->name);
}

static stoa_status reject(const struct unifier *unifier, const struct path *path,
                          const stoa_type *left, const stoa_type *right) {
    char name[256] = "";
    print_path(path, name, sizeof name);
    stoa_fail(unifier->err, STOA_INVALID, "column '%s': expected %s but found %s", name,
              stoa_type_describe(left).text, stoa_type_describe(right).text);
    stoa_error_set_column(unifier->err, -1, name);
    return STOA_INVALID;
}

static stoa_status unify_type(struct unifier *unifier, const struct path *path,
                              const stoa_type *left, const stoa_type *right, stoa_type *out);

static stoa_status unify_field(struct unifier *unifier, const struct path *parent,
                               const stoa_field *left, const stoa_field *right, stoa_field *out) {
    const struct path path = {parent, left->name};
    *out = *left;
    out->required = left->required && right->required;
    return unify_type(unifier, &path, &left->type, &right->type, &out->type);
}

static stoa_status unify_fields(struct unifier *unifier, const struct path *path,
                                const stoa_type *left, const stoa_type *right, stoa_type *out) {
    stoa_field *fields = NULL;
    int32_t *taken_from = NULL;
    int32_t count = left->child_count;
    const size_t most = (size_t)left->child_count + (size_t)right->child_count + 1;
    STOA_TRY(stoa_arena_allocate_array(&unifier->arena, most, sizeof *fields, (void **)&fields,
                                       unifier->err));
    STOA_TRY(stoa_arena_allocate_array(&unifier->arena, most, sizeof *taken_from,
                                       (void **)&taken_from, unifier->err));
    for (int32_t i = 0; i < left->child_count; i++) {
        fields[i] = left->children[i];
        fields[i].required = false;
        taken_from[i] = -1;
    }
    for (int32_t i = 0; i < right->child_count; i++) {
        const stoa_field *field = &right->children[i];
        const int32_t at = stoa_type_match_child(left, right, field, unifier->match);
        if (at < 0 || taken_from[at] >= 0) {
            fields[count] = *field;
            fields[count++].required = false;
            continue;
        }
        taken_from[at] = i;
        STOA_TRY(unify_field(unifier, path, &left->children[at], field, &fields[at]));
    }
    *out = *left;
    out->children = fields;
    out->child_count = count;
    return STOA_OK;
}

/* Items, keys and values are matched by their place. */
static stoa_status unify_items(struct unifier *unifier, const struct path *path,
                               const stoa_type *left, const stoa_type *right, stoa_type *out) {
    stoa_field *fields = NULL;
    STOA_TRY(stoa_arena_allocate_array(&unifier->arena, (size_t)left->child_count, sizeof *fields,
                                       (void **)&fields, unifier->err));
    for (int32_t i = 0; i < left->child_count; i++) {
        STOA_TRY(unify_field(unifier, path, &left->children[i], &right->children[i], &fields[i]));
    }
    *out = *left;
    out->children = fields;
    return STOA_OK;
}

static stoa_status unify_type(struct unifier *unifier, const struct path *path,
                              const stoa_type *left, const stoa_type *right, stoa_type *out) {
    if (left->kind == STOA_TYPE_UNKNOWN || right->kind == STOA_TYPE_UNKNOWN) {
        *out = left->kind == STOA_TYPE_UNKNOWN ? *right : *left;
        return STOA_OK;
    }
    if (!stoa_type_is_nested(left->kind) && !stoa_type_is_nested(right->kind)) {
        return common_type(left, right, out) ? STOA_OK : reject(unifier, path, left, right);
    }
    if (left->kind != right->kind) {
        return reject(unifier, path, left, right);
    }
    return left->kind == STOA_TYPE_STRUCT ? unify_fields(unifier, path, left, right, out)
                                          : unify_items(unifier, path, left, right, out);
}

stoa_status stoa_schema_unify(stoa_pool *pool, const stoa_schema *left, const stoa_schema *right,
                              stoa_field_match match, const stoa_schema **out, bool *out_same_ids,
                              stoa_error *err) {
    struct unifier unifier = {.match = match, .err = err};
    stoa_type root;
    *out = NULL;
    *out_same_ids = true;
    stoa_arena_init(&unifier.arena, pool);
    stoa_status status = unify_fields(&unifier, NULL, &left->root, &right->root, &root);
    if (status == STOA_OK) {
        status = stoa_schema_create(pool, root.children, root.child_count, true, out, NULL);
        if (status == STOA_INVALID) {
            *out_same_ids = false;
            status = stoa_schema_create(pool, root.children, root.child_count, false, out, err);
        } else if (status != STOA_OK) {
            stoa_fail(err, status, "the schemas of several files need more memory than there is");
        }
    }
    stoa_arena_release(&unifier.arena);
    return status;
}
