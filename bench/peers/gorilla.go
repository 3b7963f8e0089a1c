// gorilla.go - gorilla/websocket: see README.md.

package main

import (
	"log"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/gorilla/websocket"
)

var upgrader = websocket.Upgrader{WriteBufferPool: &sync.Pool{}}

func open(writer http.ResponseWriter, request *http.Request) *websocket.Conn {
	peer, err := upgrader.Upgrade(writer, request, nil)
	if err != nil {
		return nil
	}
	peer.SetReadLimit(4 << 20)
	peer.SetCompressionLevel(1)
	return peer
}

func echo(writer http.ResponseWriter, request *http.Request) {
	peer := open(writer, request)
	if peer == nil {
		return
	}
	defer peer.Close()
	for {
		kind, message, err := peer.ReadMessage()
		if err != nil || peer.WriteMessage(kind, message) != nil {
			return
		}
	}
}

// A topic, in gorilla's way: a goroutine for each connection writes what comes through its channel.
var (
	lock  sync.RWMutex
	topic = map[*websocket.Conn]chan *websocket.PreparedMessage{}
)

func join(peer *websocket.Conn) {
	queue := make(chan *websocket.PreparedMessage, 256)
	lock.Lock()
	topic[peer] = queue
	lock.Unlock()
	go func() {
		for message := range queue {
			peer.WritePreparedMessage(message)
		}
	}()
}

func leave(peer *websocket.Conn) {
	lock.Lock()
	close(topic[peer])
	delete(topic, peer)
	lock.Unlock()
}

func publish(from *websocket.Conn, message *websocket.PreparedMessage) {
	lock.RLock()
	defer lock.RUnlock()
	for peer, queue := range topic {
		if peer != from {
			queue <- message
		}
	}
}

func talk(writer http.ResponseWriter, request *http.Request) {
	peer := open(writer, request)
	if peer == nil {
		return
	}
	defer peer.Close()
	join(peer)
	defer leave(peer)
	for {
		kind, message, err := peer.ReadMessage()
		if err != nil {
			return
		}
		prepared, err := websocket.NewPreparedMessage(kind, message)
		if err != nil {
			return
		}
		publish(peer, prepared)
	}
}

func main() {
	arguments := os.Args[1:]
	upgrader.EnableCompression = arguments[1] != "none"
	listener, err := net.Listen("tcp", "127.0.0.1:"+arguments[0])
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/echo", echo)
	http.HandleFunc("/topic/", talk)
	server := &http.Server{ErrorLog: log.New(nowhere{}, "", 0)}
	if len(arguments) == 4 {
		err = server.ServeTLS(listener, arguments[2], arguments[3])
	} else {
		err = server.Serve(listener)
	}
	log.Fatal(err)
}

// Connections that end are none of our business.
type nowhere struct{}

func (nowhere) Write(text []byte) (int, error) {
	return len(text), nil
}
