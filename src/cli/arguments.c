/* Command lines: words to a verb's options and positionals.
 *
 * Options stand anywhere, as `--name value`, `--name=value` or `-o value`; `--` ends them; `-` alone
 * is a positional (standard input). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Edits that turn one word into another; rows of the usual table, one kept. */
static int edit_distance(const char *left, const char *right) {
    enum { WORD_MAX = 63 };
    size_t left_length = strlen(left);
    size_t right_length = strlen(right);
    if (left_length > WORD_MAX || right_length > WORD_MAX) {
        return WORD_MAX;
    }
    int row[WORD_MAX + 1];
    for (size_t j = 0; j <= right_length; j++) {
        row[j] = (int)j;
    }
    for (size_t i = 1; i <= left_length; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= right_length; j++) {
            int best = diagonal + (left[i - 1] != right[j - 1]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[right_length];
}

const char *stoa_cli_nearest(const char *word, const char *const *candidates, int count) {
    const char *nearest = NULL;
    int best = (int)strlen(word) / 3 + 1;
    for (int i = 0; i < count; i++) {
        int distance = edit_distance(word, candidates[i]);
        if (distance <= best) {
            best = distance - 1; /* the next one must be better */
            nearest = candidates[i];
        }
    }
    return nearest;
}

static int option_index(const stoa_cli_verb *verb, const char *word, size_t length) {
    for (int i = 0; i < STOA_CLI_OPTIONS_MAX && verb->options[i].name != NULL; i++) {
        const stoa_cli_option *option = &verb->options[i];
        if (strlen(option->name) == length && memcmp(option->name, word, length) == 0) {
            return i;
        }
        if (length == 2 && word[0] == '-' && option->letter != 0 && word[1] == option->letter) {
            return i;
        }
    }
    return -1;
}

static stoa_status fail_unknown_option(const stoa_cli_verb *verb, const char *word,
                                       stoa_error *err) {
    const char *names[STOA_CLI_OPTIONS_MAX];
    int count = 0;
    while (count < STOA_CLI_OPTIONS_MAX && verb->options[count].name != NULL) {
        names[count] = verb->options[count].name;
        count++;
    }
    const char *nearest = stoa_cli_nearest(word, names, count);
    return nearest == NULL
               ? stoa_fail(err, STOA_INVALID, "unknown option '%s'", word)
               : stoa_fail(err, STOA_INVALID, "unknown option '%s': did you mean '%s'?", word,
                           nearest);
}

static stoa_status take_option(const stoa_cli_verb *verb, int count, char **words, int *position,
                               stoa_cli_arguments *out, stoa_error *err) {
    const char *word = words[*position];
    const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
    size_t length = equals == NULL ? strlen(word) : (size_t)(equals - word);
    int index = option_index(verb, word, length);
    if (index < 0) {
        return fail_unknown_option(verb, word, err);
    }
    const stoa_cli_option *option = &verb->options[index];
    if (option->argument == NULL) {
        if (equals != NULL) {
            return stoa_fail(err, STOA_INVALID, "option '%s' takes no value", option->name);
        }
        out->values[index] = "";
        return STOA_OK;
    }
    if (equals != NULL) {
        out->values[index] = equals + 1;
        return STOA_OK;
    }
    if (*position + 1 >= count) {
        return stoa_fail(err, STOA_INVALID, "option '%s' needs a value: %s", word,
                         option->argument);
    }
    out->values[index] = words[++*position];
    return STOA_OK;
}

/* "-5" and "-.5" are values: no option has a digit for a letter. */
static bool is_negative_number(const char *word) {
    const char *digit = word + 1 + (word[1] == '.');
    return *digit >= '0' && *digit <= '9';
}

/* A query may begin with a comment: "-- " is no option. */
static bool is_option(const char *word) {
    return word[0] == '-' && word[1] != '\0' && !is_negative_number(word) &&
           (word[1] != '-' || (word[2] != ' ' && word[2] != '\n' && word[2] != '\t'));
}

stoa_status stoa_cli_arguments_parse(const stoa_cli_verb *verb, int count, char **words,
                                     stoa_cli_arguments *out, stoa_error *err) {
    *out = (stoa_cli_arguments){.verb = verb};
    bool options_ended = false;
    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        if (!options_ended && strcmp(word, "--") == 0) {
            options_ended = true;
        } else if (!options_ended && is_option(word)) {
            stoa_status status = take_option(verb, count, words, &i, out, err);
            if (status != STOA_OK) {
                return status;
            }
        } else if (out->positional_count == STOA_CLI_POSITIONALS_MAX) {
            return stoa_fail(err, STOA_INVALID, "more than %d arguments: use a glob in quotes",
                             STOA_CLI_POSITIONALS_MAX);
        } else {
            out->positionals[out->positional_count++] = word;
        }
    }
    if (out->positional_count < verb->positionals_min) {
        return stoa_fail(err, STOA_INVALID, "expected %s", verb->positionals);
    }
    if (out->positional_count > verb->positionals_max) {
        return stoa_fail(err, STOA_INVALID, "unexpected argument '%s'",
                         out->positionals[verb->positionals_max]);
    }
    return STOA_OK;
}

const char *stoa_cli_value(const stoa_cli_arguments *arguments, const char *option) {
    int index = option_index(arguments->verb, option, strlen(option));
    return index < 0 ? NULL : arguments->values[index];
}

stoa_status stoa_cli_value_i64(const stoa_cli_arguments *arguments, const char *option,
                               int64_t minimum, int64_t *inout, stoa_error *err) {
    const char *text = stoa_cli_value(arguments, option);
    if (text == NULL) {
        return STOA_OK;
    }
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < minimum) {
        return stoa_fail(err, STOA_INVALID,
                         "option '%s': expected a whole number of at least %lld but found '%s'",
                         option, (long long)minimum, text);
    }
    *inout = number;
    return STOA_OK;
}

stoa_status stoa_cli_age_parse(const char *option, const char *text, int64_t *out_ms,
                               stoa_error *err) {
    char *stop = NULL;
    errno = 0;
    long long number = strtoll(text, &stop, 10);
    int64_t unit = 1000;
    if (stop != text && errno == 0 && number >= 0 && number < 1000000000) {
        switch (*stop) {
        case 'd':
            unit *= 86400;
            break;
        case 'h':
            unit *= 3600;
            break;
        case 'm':
            unit *= 60;
            break;
        case 's':
        case '\0':
            break;
        default:
            unit = 0;
        }
        if (unit != 0 && (*stop == '\0' || stop[1] == '\0')) {
            *out_ms = number * unit;
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_INVALID,
                     "option '%s': expected an age such as 7d, 12h, 30m or 45s but found '%s'",
                     option, text);
}
