/* swale/swale.h - everything: include this, or only the headers that you need. */
#ifndef SWALE_H
#define SWALE_H

#include <swale/base.h>
#include <swale/blocking.h>
#include <swale/client.h>
#include <swale/conn.h>
#include <swale/hub.h>
#include <swale/loop.h>
#include <swale/proto.h>
#include <swale/server.h>
#include <swale/tls.h>

#endif
