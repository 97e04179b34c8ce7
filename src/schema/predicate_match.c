/* May a part of a table hold a row that makes a predicate true?
 *
 * Each node is asked one of two questions: may a row make it TRUE, or may a row make it FALSE. NOT
 * turns one into the other, AND and OR are each other's mirror, and a null answers neither, so
 * three-valued logic needs no third question. Every "no" rests on a count or a bound that is known;
 * a bound of another type than the constant's (a column that was widened since) is no bound.
 *
 * Bounds hold all values but NaN, and may be wider than the truth: a string's may be cut. NaN is
 * above all numbers, so it matters wherever something large is asked for. */
#include <math.h>
#include <string.h>

#include "schema/constant.h"
#include "schema/predicate_build.h"

struct part {
    const stoa_field_summary *summaries;
    int32_t summary_count;
};

static const stoa_field_summary *summary_of(const struct part *part, int32_t field_id) {
    for (int32_t i = 0; i < part->summary_count; i++) {
        if (part->summaries[i].field_id == field_id) {
            return &part->summaries[i];
        }
    }
    return NULL;
}

static bool all_null(const stoa_field_summary *summary) {
    return summary->value_count >= 0 && summary->null_count == summary->value_count;
}

static bool is_float(const stoa_value *value) {
    return value->type.kind == STOA_TYPE_FLOAT || value->type.kind == STOA_TYPE_DOUBLE;
}

static bool is_nan(const stoa_value *value) {
    return is_float(value) && isnan(value->f);
}

static bool may_have_nan(const stoa_field_summary *summary, const stoa_value *constant) {
    return is_float(constant) && summary->may_have_nan;
}

/* A bound that can be compared with the constant, or NULL. */
static const stoa_value *usable(const stoa_value *bound, const stoa_value *constant) {
    if (bound == NULL || bound->is_null || is_nan(bound) ||
        bound->type.kind != constant->type.kind || bound->type.unit != constant->type.unit ||
        bound->type.scale != constant->type.scale) {
        return NULL;
    }
    return bound;
}

static bool may_equal(const stoa_field_summary *summary, const stoa_value *constant) {
    const stoa_value *lower = usable(summary->lower, constant);
    const stoa_value *upper = usable(summary->upper, constant);
    if (is_nan(constant)) {
        return summary->may_have_nan;
    }
    return (lower == NULL || stoa_value_compare(lower, constant) <= 0) &&
           (upper == NULL || stoa_value_compare(upper, constant) >= 0);
}

/* All values that are not null equal the constant. Bounds include the extremes, so two equal ones
 * leave room for nothing else. */
static bool must_equal(const stoa_field_summary *summary, const stoa_value *constant) {
    const stoa_value *lower = usable(summary->lower, constant);
    const stoa_value *upper = usable(summary->upper, constant);
    return lower != NULL && upper != NULL && !may_have_nan(summary, constant) &&
           stoa_value_compare(lower, constant) == 0 && stoa_value_compare(upper, constant) == 0;
}

static bool may_be_below(const stoa_field_summary *summary, const stoa_value *constant,
                         bool or_equal) {
    const stoa_value *lower = usable(summary->lower, constant);
    if (or_equal && is_nan(constant)) {
        return true;
    }
    return lower == NULL || stoa_value_compare(lower, constant) < (or_equal ? 1 : 0);
}

static bool may_be_above(const stoa_field_summary *summary, const stoa_value *constant,
                         bool or_equal) {
    const stoa_value *upper = usable(summary->upper, constant);
    if (is_nan(constant)) {
        return or_equal && summary->may_have_nan;
    }
    return may_have_nan(summary, constant) || upper == NULL ||
           stoa_value_compare(upper, constant) > (or_equal ? -1 : 0);
}

/* Equal from `truth`, so that the false of each comparison is the true of its opposite. */
static bool comparison_may(const stoa_predicate *predicate, const stoa_field_summary *summary,
                           bool truth) {
    const stoa_value *constant = &predicate->values[0];
    if (constant->is_null) {
        return false;
    }
    switch (predicate->kind) {
    case STOA_PREDICATE_EQUAL:
        return truth ? may_equal(summary, constant) : !must_equal(summary, constant);
    case STOA_PREDICATE_NOT_EQUAL:
        return truth ? !must_equal(summary, constant) : may_equal(summary, constant);
    case STOA_PREDICATE_LESS:
        return truth ? may_be_below(summary, constant, false)
                     : may_be_above(summary, constant, true);
    case STOA_PREDICATE_LESS_EQUAL:
        return truth ? may_be_below(summary, constant, true)
                     : may_be_above(summary, constant, false);
    case STOA_PREDICATE_GREATER:
        return truth ? may_be_above(summary, constant, false)
                     : may_be_below(summary, constant, true);
    default:
        return truth ? may_be_above(summary, constant, true)
                     : may_be_below(summary, constant, false);
    }
}

static bool in_may(const stoa_predicate *predicate, const stoa_field_summary *summary, bool truth) {
    for (int32_t i = 0; i < predicate->value_count; i++) {
        const stoa_value *value = &predicate->values[i];
        if (truth && !value->is_null && may_equal(summary, value)) {
            return true;
        }
        if (!truth && (value->is_null || must_equal(summary, value))) {
            return false; /* unknown or true for every row, so never false */
        }
    }
    return !truth;
}

static int compare_prefix(const stoa_value *value, const stoa_value *prefix) {
    stoa_value cut = *value;
    cut.size = cut.size < prefix->size ? cut.size : prefix->size;
    return stoa_value_compare(&cut, prefix);
}

static bool starts_with_may(const stoa_predicate *predicate, const stoa_field_summary *summary,
                            bool truth) {
    const stoa_value *prefix = &predicate->values[0];
    if (prefix->is_null) {
        return false;
    }
    const stoa_value *lower = usable(summary->lower, prefix);
    const stoa_value *upper = usable(summary->upper, prefix);
    if (truth) {
        return (lower == NULL || compare_prefix(lower, prefix) <= 0) &&
               (upper == NULL || compare_prefix(upper, prefix) >= 0);
    }
    return lower == NULL || upper == NULL || compare_prefix(lower, prefix) != 0 ||
           compare_prefix(upper, prefix) != 0;
}

static bool leaf_may(const struct part *part, const stoa_predicate *predicate, bool truth) {
    const stoa_field_summary *summary = summary_of(part, predicate->field_id);
    if (summary == NULL) {
        return true;
    }
    if (summary->value_count == 0) {
        return false;
    }
    bool null_wanted = (predicate->kind == STOA_PREDICATE_IS_NULL) == truth;
    if (predicate->kind == STOA_PREDICATE_IS_NULL ||
        predicate->kind == STOA_PREDICATE_IS_NOT_NULL) {
        return null_wanted ? summary->null_count != 0 : !all_null(summary);
    }
    if (all_null(summary)) {
        return false;
    }
    switch (predicate->kind) {
    case STOA_PREDICATE_IN: return in_may(predicate, summary, truth);
    case STOA_PREDICATE_STARTS_WITH: return starts_with_may(predicate, summary, truth);
    default: return comparison_may(predicate, summary, truth);
    }
}

static bool may(const struct part *part, const stoa_predicate *predicate, bool truth,
                int32_t depth) {
    if (depth > STOA_PREDICATE_DEPTH_MAX) {
        return true;
    }
    switch (predicate->kind) {
    case STOA_PREDICATE_TRUE: return truth;
    case STOA_PREDICATE_FALSE: return !truth;
    case STOA_PREDICATE_NOT: return may(part, predicate->children[0], !truth, depth + 1);
    case STOA_PREDICATE_AND:
    case STOA_PREDICATE_OR: {
        /* AND is true when all are, false when one is; OR the other way round. */
        bool all = (predicate->kind == STOA_PREDICATE_AND) == truth;
        for (int32_t i = 0; i < predicate->child_count; i++) {
            if (may(part, predicate->children[i], truth, depth + 1) != all) {
                return !all;
            }
        }
        return all;
    }
    default: return leaf_may(part, predicate, truth);
    }
}

bool stoa_predicate_may_match(const stoa_predicate *predicate, const stoa_schema *schema,
                              const stoa_field_summary *summaries, int32_t summary_count) {
    (void)schema; /* constants and bounds carry their types */
    struct part part = {summaries, summary_count};
    return may(&part, predicate, true, 1);
}
