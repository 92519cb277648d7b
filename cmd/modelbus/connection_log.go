package main

import (
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// logged are options by which a connection tells log when it is lost, when it is there
// again, and what else happens to it.
func logged(log zerolog.Logger) []nats.Option {
	url := "" // of the last server; the callbacks come one after the other
	return []nats.Option{
		nats.ConnectHandler(func(nc *nats.Conn) { url = nc.ConnectedUrlRedacted() }),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				log.Warn().Err(err).Str("url", url).Msg("disconnected from NATS, connecting again")
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			url = nc.ConnectedUrlRedacted()
			log.Info().Str("url", url).Uint64("times", nc.Stats().Reconnects).Msg("connected to NATS again")
		}),
		nats.LameDuckModeHandler(func(*nats.Conn) {
			log.Warn().Str("url", url).Msg("the NATS server is about to stop (lame duck mode)")
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			event := log.Warn().Err(err).Str("url", url)
			if sub != nil {
				event = event.Str("subject", sub.Subject)
			}
			event.Msg("NATS connection")
		}),
	}
}
