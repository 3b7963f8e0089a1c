/* negotiate.h - what both sides of the opening handshake need of extension negotiation. */
#ifndef SWALE_PROTO_NEGOTIATE_H
#define SWALE_PROTO_NEGOTIATE_H

#include "proto/writer.h"

/* Server: takes the first acceptable offer of permessage-deflate. 0, whether or not there is one, or
 * SWALE_ERR_UPGRADE_EXTENSIONS when the fields are not well-formed. */
int swale__deflate_accept(const struct swale_request *request, const struct swale_deflate_policy *policy,
                          struct swale_upgrade *upgrade);

/* Server: the Sec-WebSocket-Extensions field that answers. */
void swale__put_deflate_answer(struct swale__writer *writer, const struct swale_upgrade *upgrade);

/* Client: the Sec-WebSocket-Extensions field that offers. */
void swale__put_deflate_offer(struct swale__writer *writer, const struct swale_deflate_policy *policy);

/* Client: takes what the server answered to that offer. 0 or SWALE_ERR_ANSWER_EXTENSIONS. */
int swale__deflate_verify(const struct swale_response *response, const struct swale_deflate_policy *policy,
                          struct swale_upgrade_result *result);

#endif
