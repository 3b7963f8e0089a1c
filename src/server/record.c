/* record.c - what the server tells the log. */
#include "server/server.h"

#include <stdio.h>

static struct swale_span header(const struct swale_request *request, const char *name)
{
    const struct swale_field *field = swale_field_find(request->fields, request->field_count, name, NULL);
    return field ? field->value : swale_span(NULL, 0);
}

/* Only what a peer can provoke at no cost is limited: an opened connection and an answered request have one record
 * each, always. */
static bool over_limit(struct swale__worker *worker, enum swale_record_kind kind)
{
    if (kind != SWALE_RECORD_REFUSE && kind != SWALE_RECORD_ACCEPT)
        return false;
    uint64_t second = swale_loop_now(worker->loop) / 1000;
    if (second != worker->log_second) {
        worker->log_second = second;
        worker->logged = 0;
    }
    if (worker->logged >= SWALE__LOG_BURST) {
        worker->suppressed++;
        return true;
    }
    worker->logged++;
    return false;
}

void swale__log(struct swale__worker *worker, struct swale_record *record, struct swale__about about)
{
    const struct swale_server_options *options = &worker->server->options;
    struct swale_peer peer = { .port = 0 };
    char text[64], address[SWALE__PEER_TEXT];
    if (!options->log || over_limit(worker, record->kind))
        return;
    if (about.request) {
        record->method = about.request->method;
        record->target = about.request->target;
        record->host = about.request->host;
        record->origin = header(about.request, "Origin");
        record->user_agent = header(about.request, "User-Agent");
    }
    if (about.stream) {
        swale__stream_glance(about.stream, &peer, address);
        record->address = peer.address;
        record->port = peer.port;
        if (swale__is_tls_failure(record->reason))
            record->text = peer.tls_error;
    }
    if (worker->suppressed && record->text.size == 0 && record->kind == SWALE_RECORD_REFUSE) {
        int size = snprintf(text, sizeof text, "%u more were not logged", (unsigned)worker->suppressed);
        record->text = swale_span(text, (size_t)size);
        worker->suppressed = 0;
    }
    options->log(options->log_context, record);
}

void swale__refused(struct swale__worker *worker, int reason, int status, struct swale__about about)
{
    struct swale_record record = { .kind = SWALE_RECORD_REFUSE, .reason = reason, .status = status };
    swale__count(&worker->tally.refused[swale_error_slot(reason)], 1);
    swale__log(worker, &record, about);
}
