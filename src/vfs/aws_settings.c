/* Credentials and settings as the tools of AWS read them, so that who can run those can run this.
 *
 * Each setting is taken from the first place that has it: options of the program, environment,
 * files. Keys come as a pair from one place, and a profile that the program names goes before keys
 * in the environment. Keys that come from a login, a role, a program or a machine's metadata are
 * not offered: who uses those exports them to the environment.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Settings reference" */
#include "vfs/aws_settings.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <strings.h>

#include "mem/buffer.h"
#include "vfs/vfs.h"

enum { FILE_BYTES_MAX = 1 << 20, ATTEMPTS_DEFAULT = 5, ATTEMPTS_MAX = 100 };

/* What the files say of one profile. From the pool, and wiped. */
enum file_key {
    KEY_ID,
    KEY_SECRET,
    KEY_TOKEN,
    KEY_REGION,
    KEY_ENDPOINT,
    KEY_S3_ENDPOINT,
    KEY_SERVICES,
    KEY_ADDRESSING,
    KEY_CA_FILE,
    KEY_ATTEMPTS,
    KEY_ELSEWHERE, /* the name of a setting by which keys come in a way that is not offered */
    KEY_COUNT
};

static const struct {
    const char *name;
    enum file_key key;
} file_keys[] = {
    {"aws_access_key_id", KEY_ID},    {"aws_secret_access_key", KEY_SECRET},
    {"aws_session_token", KEY_TOKEN}, {"region", KEY_REGION},
    {"endpoint_url", KEY_ENDPOINT},   {"s3.endpoint_url", KEY_S3_ENDPOINT},
    {"services", KEY_SERVICES},       {"s3.addressing_style", KEY_ADDRESSING},
    {"ca_bundle", KEY_CA_FILE},       {"max_attempts", KEY_ATTEMPTS},
    {"role_arn", KEY_ELSEWHERE},      {"credential_process", KEY_ELSEWHERE},
    {"sso_session", KEY_ELSEWHERE},   {"sso_start_url", KEY_ELSEWHERE},
    {"login_session", KEY_ELSEWHERE},
};

struct profile {
    stoa_pool *pool;
    const char *name;
    bool is_config; /* "config" says [profile x] where "credentials" says [x] */
    bool is_found;
    const char *services; /* when this section of services is looked for instead */
    char *values[KEY_COUNT];
    stoa_status status;
    stoa_error *err;
};

void stoa_aws_secret_free(stoa_pool *pool, char *text) {
    if (text != NULL) {
        size_t size = strlen(text) + 1;
        OPENSSL_cleanse(text, size);
        stoa_pool_free(pool, text, size);
    }
}

static void free_secret(stoa_pool *pool, char **text) {
    stoa_aws_secret_free(pool, *text);
    *text = NULL;
}

static bool equals(const char *text, const char *bytes, size_t size) {
    return strlen(text) == size && strncasecmp(text, bytes, size) == 0;
}

static bool is_section(const struct profile *profile, const char *section, size_t size) {
    static const char prefix[] = "profile";
    static const char services[] = "services";
    const char *word = profile->services != NULL ? services : prefix;
    const char *name = profile->services != NULL ? profile->services : profile->name;
    size_t word_size = strlen(word);
    bool is_plain = size == strlen(name) && memcmp(section, name, size) == 0;
    if (profile->services == NULL &&
        (!profile->is_config || (strcmp(name, "default") == 0 && is_plain))) {
        return is_plain;
    }
    if (size <= word_size || memcmp(section, word, word_size) != 0 ||
        (section[word_size] != ' ' && section[word_size] != '\t')) {
        return false;
    }
    while (word_size < size && (section[word_size] == ' ' || section[word_size] == '\t')) {
        word_size++;
    }
    return size - word_size == strlen(name) && memcmp(section + word_size, name, strlen(name)) == 0;
}

/* Takes what belongs to the profile; of a setting that repeats in a file, the last. */
static bool take_setting(void *user, const char *section, size_t section_size, const char *key,
                         size_t key_size, const char *value, size_t value_size) {
    struct profile *profile = user;
    if (!is_section(profile, section, section_size)) {
        return true;
    }
    profile->is_found = true;
    for (size_t i = 0; i < sizeof file_keys / sizeof file_keys[0]; i++) {
        if (!equals(file_keys[i].name, key, key_size) || value_size == 0 ||
            memchr(value, '\0', value_size) != NULL) {
            continue;
        }
        bool is_elsewhere = file_keys[i].key == KEY_ELSEWHERE;
        const char *text = is_elsewhere ? file_keys[i].name : value;
        char **slot = &profile->values[file_keys[i].key];
        free_secret(profile->pool, slot);
        profile->status = stoa_pool_copy_text(profile->pool, text,
                                              is_elsewhere ? strlen(text) : value_size, slot,
                                              profile->err);
    }
    return profile->status == STOA_OK;
}

/* A file that is not there says nothing. */
static stoa_status read_file(stoa_pool *pool, const char *path, stoa_buffer *out, stoa_error *err) {
    stoa_fs local = stoa_fs_local();
    stoa_context context = {.pool = pool};
    stoa_file *file = NULL;
    stoa_status status = local.operations->open(local.state, path, STOA_OPEN_READ, &context, &file,
                                                err);
    if (status == STOA_NOT_FOUND) {
        stoa_error_clear(err);
        return STOA_OK;
    }
    if (status != STOA_OK) {
        stoa_wrap(err, "cannot open '%s'", path);
        return status;
    }
    STOA_CHECK(stoa_buffer_reserve_exact(out, FILE_BYTES_MAX + 1, err));
    STOA_CHECK(stoa_file_read_some(file, 0, out->data, FILE_BYTES_MAX + 1, &out->size, err));
    if (out->size > FILE_BYTES_MAX) {
        status = stoa_fail(err, STOA_LIMIT, "'%s' is longer than the limit of %d bytes", path,
                           FILE_BYTES_MAX);
    }

done:
    stoa_file_close(file);
    return status;
}

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static bool is_true(const char *value) {
    return value != NULL && (strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 ||
                             strcmp(value, "1") == 0);
}

/* The path of "config" or "credentials"; empty when there is no home either. */
static stoa_status file_path(stoa_buffer *path, const char *name, const char *file,
                             stoa_error *err) {
    const char *given = variable(name);
    const char *home = variable("HOME");
    if (given != NULL && strncmp(given, "~/", 2) == 0 && home != NULL) {
        return stoa_buffer_append_format(path, err, "%s%s", home, given + 1);
    }
    if (given != NULL) {
        return stoa_buffer_append_text(path, given, err);
    }
    return home == NULL ? STOA_OK : stoa_buffer_append_format(path, err, "%s/.aws/%s", home, file);
}

static stoa_status read_profile(struct profile *profile, const char *path_name, const char *file,
                                stoa_error *err) {
    stoa_buffer path = {.pool = profile->pool};
    stoa_buffer bytes = {.pool = profile->pool};
    const char *text = NULL;
    char *services = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(file_path(&path, path_name, file, err));
    STOA_CHECK(stoa_buffer_text(&path, &text, err));
    if (text[0] == '\0') {
        goto done;
    }
    STOA_CHECK(read_file(profile->pool, text, &bytes, err));
    stoa_aws_ini_read((const char *)bytes.data, bytes.size, take_setting, profile);
    STOA_CHECK(profile->status);
    if (profile->is_config && profile->values[KEY_SERVICES] != NULL) {
        STOA_CHECK(
            stoa_pool_copy_string(profile->pool, profile->values[KEY_SERVICES], &services, err));
        profile->services = services;
        stoa_aws_ini_read((const char *)bytes.data, bytes.size, take_setting, profile);
        profile->services = NULL;
        STOA_CHECK(profile->status);
    }

done:
    if (bytes.data != NULL) {
        OPENSSL_cleanse(bytes.data, bytes.capacity);
    }
    stoa_pool_free_string(profile->pool, services);
    stoa_buffer_release(&bytes);
    stoa_buffer_release(&path);
    return status;
}

static stoa_status set(stoa_aws_settings *settings, char **slot, const char *value,
                       stoa_error *err) {
    return *slot != NULL || value == NULL ? STOA_OK
                                          : stoa_pool_copy_string(settings->pool, value, slot, err);
}

/* A key and its secret, from one place; half a pair is a mistake that is better told. */
static stoa_status set_keys(stoa_aws_settings *settings, const char *id, const char *secret,
                            const char *token, const char *where, stoa_error *err) {
    if (settings->access_key_id != NULL || settings->is_anonymous ||
        (id == NULL && secret == NULL)) {
        return STOA_OK;
    }
    if (id == NULL || secret == NULL) {
        return stoa_fail(err, STOA_INVALID, "%s gives %s without %s", where,
                         id == NULL ? "a secret access key" : "an access key id",
                         id == NULL ? "its access key id" : "its secret access key");
    }
    STOA_TRY(set(settings, &settings->access_key_id, id, err));
    STOA_TRY(set(settings, &settings->secret_access_key, secret, err));
    return set(settings, &settings->session_token, token, err);
}

static stoa_status set_addressing(stoa_aws_settings *settings, const char *value, stoa_error *err) {
    if (value == NULL || settings->addressing != STOA_S3_ADDRESSING_AUTO ||
        strcasecmp(value, "auto") == 0) {
        return STOA_OK;
    }
    if (strcasecmp(value, "path") != 0 && strcasecmp(value, "virtual") != 0) {
        return stoa_fail(err, STOA_INVALID,
                         "expected an addressing_style of auto, path or virtual but found '%s'",
                         value);
    }
    settings->addressing = strcasecmp(value, "path") == 0 ? STOA_S3_ADDRESSING_PATH
                                                          : STOA_S3_ADDRESSING_VIRTUAL;
    return STOA_OK;
}

static stoa_status set_attempts(stoa_aws_settings *settings, const char *value, stoa_error *err) {
    char *end = NULL;
    if (value == NULL || settings->max_attempts != 0) {
        return STOA_OK;
    }
    long number = strtol(value, &end, 10);
    if (end == value || *end != '\0' || number < 1 || number > ATTEMPTS_MAX) {
        return stoa_fail(err, STOA_INVALID, "expected 1 to %d attempts but found '%s'",
                         ATTEMPTS_MAX, value);
    }
    settings->max_attempts = (int32_t)number;
    return STOA_OK;
}

static stoa_status take_options(stoa_aws_settings *settings, const stoa_s3_options *options,
                                stoa_error *err) {
    settings->is_anonymous = options->is_anonymous;
    settings->addressing = options->addressing;
    settings->max_attempts = options->max_attempts;
    STOA_TRY(set_keys(settings, options->access_key_id, options->secret_access_key,
                      options->session_token, "the program", err));
    STOA_TRY(set(settings, &settings->region, options->region, err));
    STOA_TRY(set(settings, &settings->endpoint, options->endpoint, err));
    return set(settings, &settings->ca_file, options->ca_file, err);
}

static stoa_status take_environment(stoa_aws_settings *settings, bool has_profile,
                                    stoa_error *err) {
    if (settings->access_key_id == NULL && is_true(variable("AWS_NO_SIGN_REQUEST"))) {
        settings->is_anonymous = true;
    }
    if (!has_profile) {
        STOA_TRY(set_keys(settings, variable("AWS_ACCESS_KEY_ID"),
                          variable("AWS_SECRET_ACCESS_KEY"), variable("AWS_SESSION_TOKEN"),
                          "the environment", err));
    }
    STOA_TRY(set(settings, &settings->region, variable("AWS_REGION"), err));
    STOA_TRY(set(settings, &settings->region, variable("AWS_DEFAULT_REGION"), err));
    STOA_TRY(set(settings, &settings->ca_file, variable("AWS_CA_BUNDLE"), err));
    STOA_TRY(set_attempts(settings, variable("AWS_MAX_ATTEMPTS"), err));
    if (!is_true(variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))) {
        STOA_TRY(set(settings, &settings->endpoint, variable("AWS_ENDPOINT_URL_S3"), err));
        STOA_TRY(set(settings, &settings->endpoint, variable("AWS_ENDPOINT_URL"), err));
    }
    return STOA_OK;
}

static stoa_status take_profile(stoa_aws_settings *settings, char *const *values, stoa_error *err) {
    STOA_TRY(set_keys(settings, values[KEY_ID], values[KEY_SECRET], values[KEY_TOKEN],
                      "the profile", err));
    if (settings->access_key_id == NULL && !settings->is_anonymous &&
        values[KEY_ELSEWHERE] != NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "the profile gets its keys by '%s', which is not offered: export them as "
                         "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
                         values[KEY_ELSEWHERE]);
    }
    STOA_TRY(set(settings, &settings->region, values[KEY_REGION], err));
    STOA_TRY(set(settings, &settings->ca_file, values[KEY_CA_FILE], err));
    STOA_TRY(set_attempts(settings, values[KEY_ATTEMPTS], err));
    STOA_TRY(set_addressing(settings, values[KEY_ADDRESSING], err));
    if (!is_true(variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))) {
        STOA_TRY(set(settings, &settings->endpoint, values[KEY_S3_ENDPOINT], err));
        STOA_TRY(set(settings, &settings->endpoint, values[KEY_ENDPOINT], err));
    }
    return STOA_OK;
}

/* `named`: by the program, else by the environment or not at all. */
static stoa_status take_files(stoa_aws_settings *settings, const char *named, stoa_error *err) {
    const char *asked = named != NULL ? named : variable("AWS_PROFILE");
    asked = asked != NULL ? asked : variable("AWS_DEFAULT_PROFILE");
    struct profile profile = {.pool = settings->pool, .err = err};
    profile.name = asked == NULL ? "default" : asked;
    profile.is_config = true;
    stoa_status status = STOA_OK;
    STOA_CHECK(read_profile(&profile, "AWS_CONFIG_FILE", "config", err));
    profile.is_config = false;
    STOA_CHECK(read_profile(&profile, "AWS_SHARED_CREDENTIALS_FILE", "credentials", err));
    if (asked != NULL && !profile.is_found) {
        status = stoa_fail(err, STOA_INVALID,
                           "the profile '%s' is neither in AWS's config nor in its credentials "
                           "file",
                           asked);
        goto done;
    }
    STOA_CHECK(take_profile(settings, profile.values, err));

done:
    if (status != STOA_OK && profile.is_found) {
        stoa_wrap(err, "profile '%s' of AWS's settings", profile.name);
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        free_secret(profile.pool, &profile.values[i]);
    }
    return status;
}

/* What will stand in URLs and headers holds nothing that would end them. */
static stoa_status check_text(const char *what, const char *text, stoa_error *err) {
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7F) {
            return stoa_fail(err, STOA_INVALID,
                             "the %s has a byte 0x%02x at position %zu, where only printable "
                             "characters may be",
                             what, (unsigned)(unsigned char)*at, (size_t)(at - text));
        }
    }
    return STOA_OK;
}

static stoa_status check_region(const char *region, stoa_error *err) {
    size_t length = strspn(region,
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    if (length == 0 || region[length] != '\0' || length > 64) {
        return stoa_fail(err, STOA_INVALID,
                         "expected a region of letters, digits and '-' but found '%.100s'", region);
    }
    return STOA_OK;
}

static stoa_status check_endpoint(stoa_aws_settings *settings, stoa_error *err) {
    char *endpoint = settings->endpoint;
    if (endpoint == NULL) {
        return STOA_OK;
    }
    STOA_TRY(check_text("endpoint", endpoint, err));
    size_t scheme = strncasecmp(endpoint, "https://", 8) == 0  ? 8
                    : strncasecmp(endpoint, "http://", 7) == 0 ? 7
                                                               : 0;
    size_t host = strcspn(endpoint + scheme, "/?#@");
    const char *rest = endpoint + scheme + host;
    if (scheme == 0 || host == 0 || strspn(rest, "/") != strlen(rest)) {
        /* What stands before an '@' may be a password. */
        return stoa_fail(err, STOA_INVALID,
                         "expected an endpoint like 'https://host:port' but found '%s'",
                         strchr(endpoint, '@') != NULL ? "one with a user" : endpoint);
    }
    size_t length = strlen(endpoint);
    char *shorter = NULL;
    STOA_TRY(stoa_pool_copy_text(settings->pool, endpoint, length - strlen(rest), &shorter, err));
    stoa_pool_free_string(settings->pool, endpoint);
    settings->endpoint = shorter;
    return STOA_OK;
}

static stoa_status check(stoa_aws_settings *settings, stoa_error *err) {
    STOA_TRY(set(settings, &settings->region, "us-east-1", err));
    if (settings->max_attempts == 0) {
        settings->max_attempts = ATTEMPTS_DEFAULT;
    }
    if (settings->access_key_id == NULL && !settings->is_anonymous) {
        return stoa_fail(err, STOA_INVALID,
                         "no credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, "
                         "and there is no profile with keys in ~/.aws/credentials or ~/.aws/config "
                         "(AWS_NO_SIGN_REQUEST=true asks without)");
    }
    STOA_TRY(check_text("access key id", settings->access_key_id, err));
    STOA_TRY(check_text("session token", settings->session_token, err));
    STOA_TRY(check_region(settings->region, err));
    return check_endpoint(settings, err);
}

stoa_status stoa_aws_settings_load(stoa_pool *pool, const stoa_s3_options *options,
                                   stoa_aws_settings *out, stoa_error *err) {
    static const stoa_s3_options nothing = STOA_S3_DEFAULT;
    options = options == NULL ? &nothing : options;
    *out = (stoa_aws_settings){.pool = pool};
    STOA_TRY(take_options(out, options, err));
    STOA_TRY(take_environment(out, options->profile != NULL, err));
    STOA_TRY(take_files(out, options->profile, err));
    return check(out, err);
}

void stoa_aws_settings_release(stoa_aws_settings *settings) {
    if (settings->pool == NULL) {
        return;
    }
    free_secret(settings->pool, &settings->access_key_id);
    free_secret(settings->pool, &settings->secret_access_key);
    free_secret(settings->pool, &settings->session_token);
    stoa_pool_free_string(settings->pool, settings->region);
    stoa_pool_free_string(settings->pool, settings->endpoint);
    stoa_pool_free_string(settings->pool, settings->ca_file);
    *settings = (stoa_aws_settings){0};
}
