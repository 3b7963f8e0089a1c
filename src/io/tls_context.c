/* tls_context.c - the public context: copies of the options, and the generation in use.
 *
 * A reload builds a whole generation beside the one in use and swaps the pointer; a handshake takes a
 * reference to the one in use as it begins. The mutex is held for these two moments only, so that reading
 * files never delays a handshake. The last holder of an old generation frees it.
 */
#include "io/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Settings --------------------------------------------------------------------------------------- */

static int refuse(char *message, const char *fault)
{
    return swale__tls_fault(message, SWALE_ERR_INVALID, "TLS options", fault);
}

static int check_options(const struct swale_tls_options *options, bool server, char *message)
{
    for (size_t i = 0; i < options->certificate_count; i++)
        if (!options->certificates[i].certificate_file || !options->certificates[i].key_file)
            return refuse(message, "a certificate needs a certificate file and a key file");
    if (server && options->certificate_count == 0)
        return refuse(message, "a server needs a certificate");
    if (!server && options->certificate_count > 1)
        return refuse(message, "a client has at most one certificate");
    bool asks = server && options->client_auth != SWALE_TLS_CLIENT_NONE;
    if (asks && !options->ca_file && !options->ca_directory)
        return refuse(message, "client certificates need a CA file or directory to be judged by");
    for (size_t i = 0; options->alpn && i < options->alpn_count; i++)
        if (options->alpn[i][0] == '\0' || strlen(options->alpn[i]) > 255)
            return refuse(message, "an ALPN protocol has 1 to 255 bytes");
    if (server && options->pin_count > 0)
        return refuse(message, "pins are for clients");
    unsigned char pin[SWALE__TLS_PIN_SIZE];
    for (size_t i = 0; i < options->pin_count; i++)
        if (!options->pins || !swale__tls_pin_parse(pin, options->pins[i]))
            return refuse(message, "a pin is \"sha256/\" and 44 characters of base64");
    return 0;
}

/* A NULL stays NULL, and is good. */
static bool copy_text(char **copy, const char *text)
{
    *copy = text ? strdup(text) : NULL;
    return *copy || !text;
}

static bool copy_certificates(struct swale__tls_settings *settings, const struct swale_tls_options *options)
{
    settings->certificates = calloc(options->certificate_count + 1, sizeof *settings->certificates);
    if (!settings->certificates)
        return false;
    for (size_t i = 0; i < options->certificate_count; i++) {
        char *certificate_file, *key_file;
        bool good = copy_text(&certificate_file, options->certificates[i].certificate_file);
        good = copy_text(&key_file, options->certificates[i].key_file) && good;
        settings->certificates[i] = (struct swale_tls_certificate){ certificate_file, key_file };
        settings->certificate_count++;
        if (!good)
            return false;
    }
    return true;
}

static bool copy_alpn(struct swale__tls_settings *settings, const char *const *names, size_t count)
{
    static const char *const usual[] = { "http/1.1" };
    if (!names) {
        names = usual;
        count = 1;
    }
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += 1 + strlen(names[i]);
    settings->alpn = malloc(size + 1);
    if (!settings->alpn)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        settings->alpn[settings->alpn_size++] = (unsigned char)length;
        memcpy(settings->alpn + settings->alpn_size, names[i], length);
        settings->alpn_size += length;
    }
    return true;
}

static bool copy_pins(struct swale__tls_settings *settings, const char *const *pins, size_t count)
{
    if (count == 0)
        return true;
    settings->pins = calloc(count, sizeof *settings->pins);
    if (!settings->pins)
        return false;
    for (size_t i = 0; i < count; i++)
        swale__tls_pin_parse(settings->pins[i], pins[i]); /* which has been checked */
    settings->pin_count = count;
    return true;
}

static bool copy_settings(struct swale__tls_settings *settings, const struct swale_tls_options *options, bool server)
{
    settings->server = server;
    settings->client_auth = server ? options->client_auth : SWALE_TLS_CLIENT_NONE;
    settings->verify = server ? options->client_auth != SWALE_TLS_CLIENT_NONE : !options->insecure_skip_verification;
    settings->resumption = !options->no_session_resumption;
    return copy_certificates(settings, options) && copy_alpn(settings, options->alpn, options->alpn_count) &&
           copy_pins(settings, options->pins, options->pin_count) &&
           copy_text(&settings->ca_file, options->ca_file) &&
           copy_text(&settings->ca_directory, options->ca_directory);
}

static void free_settings(struct swale__tls_settings *settings)
{
    for (size_t i = 0; i < settings->certificate_count; i++) {
        free((char *)settings->certificates[i].certificate_file);
        free((char *)settings->certificates[i].key_file);
    }
    free(settings->certificates);
    free(settings->alpn);
    free(settings->pins);
    free(settings->ca_file);
    free(settings->ca_directory);
}

/* ---- Generations ------------------------------------------------------------------------------------ */

struct swale__tls_generation *swale__tls_generation_now(struct swale_tls *tls)
{
    pthread_mutex_lock(&tls->mutex);
    struct swale__tls_generation *generation = tls->generation;
    atomic_fetch_add_explicit(&generation->references, 1, memory_order_relaxed);
    pthread_mutex_unlock(&tls->mutex);
    return generation;
}

void swale__tls_generation_unref(struct swale__tls_generation *generation)
{
    if (!generation || atomic_fetch_sub_explicit(&generation->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < generation->count; i++)
        SSL_CTX_free(generation->contexts[i]);
    free(generation);
}

/* ---- The public calls ------------------------------------------------------------------------------- */

static void destroy(struct swale_tls *tls)
{
    swale__tls_generation_unref(tls->generation);
    swale__tls_cache_clear(&tls->cache);
    BIO_meth_free(tls->bio);
    OPENSSL_cleanse(&tls->tickets, sizeof tls->tickets);
    pthread_mutex_destroy(&tls->cache.mutex);
    pthread_mutex_destroy(&tls->tickets.mutex);
    pthread_mutex_destroy(&tls->mutex);
    pthread_mutex_destroy(&tls->reloading);
    free_settings(&tls->settings);
    free(tls);
}

static int make(struct swale_tls **made, const struct swale_tls_options *options, bool server, char *message)
{
    int error = check_options(options, server, message);
    if (error)
        return error;
    struct swale_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return swale__tls_fault(message, -ENOMEM, "TLS", "out of memory");
    atomic_init(&tls->references, 1);
    pthread_mutex_init(&tls->reloading, NULL);
    pthread_mutex_init(&tls->mutex, NULL);
    pthread_mutex_init(&tls->tickets.mutex, NULL);
    pthread_mutex_init(&tls->cache.mutex, NULL);
    tls->bio = swale__tls_bio_method();
    if (!tls->bio || !copy_settings(&tls->settings, options, server))
        error = swale__tls_fault(message, -ENOMEM, "TLS", "out of memory");
    else
        error = swale__tls_load(&tls->generation, tls, 1, message);
    if (error) {
        destroy(tls);
        return error;
    }
    *made = tls;
    return 0;
}

int swale_tls_server(struct swale_tls **tls, const struct swale_tls_options *options, char *message)
{
    return make(tls, options, true, message);
}

int swale_tls_client(struct swale_tls **tls, const struct swale_tls_options *options, char *message)
{
    return make(tls, options, false, message);
}

int swale_tls_reload(struct swale_tls *tls, char *message)
{
    struct swale__tls_generation *fresh;
    pthread_mutex_lock(&tls->reloading);
    int error = swale__tls_load(&fresh, tls, tls->generation->number + 1, message);
    if (!error) {
        pthread_mutex_lock(&tls->mutex);
        struct swale__tls_generation *former = tls->generation;
        tls->generation = fresh;
        pthread_mutex_unlock(&tls->mutex);
        swale__tls_generation_unref(former);
    }
    pthread_mutex_unlock(&tls->reloading);
    return error;
}

struct swale_tls *swale_tls_ref(struct swale_tls *tls)
{
    atomic_fetch_add_explicit(&tls->references, 1, memory_order_relaxed);
    return tls;
}

void swale_tls_unref(struct swale_tls *tls)
{
    if (tls && atomic_fetch_sub_explicit(&tls->references, 1, memory_order_acq_rel) == 1)
        destroy(tls);
}
