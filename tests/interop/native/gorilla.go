// gorilla.go - Debian's gorilla/websocket as a server (`gorilla server ARGUMENT...`, see peers.py) and as a client
// (`gorilla client ARGUMENT...`, see systems.py).

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// ---- The server

var upgrader = websocket.Upgrader{Subprotocols: []string{"second"}, EnableCompression: true}

func answer(peer *websocket.Conn, kind int, message []byte) {
	words := strings.SplitN(string(message), " ", 3)
	deadline := time.Now().Add(time.Minute)
	switch {
	case kind == websocket.TextMessage && words[0] == "swale:close":
		code, err := strconv.Atoi(words[1])
		check(err)
		peer.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, words[2]), deadline)
	case kind == websocket.TextMessage && words[0] == "swale:ping":
		peer.WriteControl(websocket.PingMessage, []byte(words[1]), deadline)
	default:
		peer.WriteMessage(kind, message)
	}
}

func echo(writer http.ResponseWriter, request *http.Request) {
	peer, err := upgrader.Upgrade(writer, request, nil)
	if err != nil {
		return
	}
	defer peer.Close()
	peer.SetReadLimit(4 << 20)
	peer.SetPongHandler(func(payload string) error {
		return peer.WriteMessage(websocket.TextMessage, []byte("pong "+payload))
	})
	for {
		kind, message, err := peer.ReadMessage()
		if closed, yes := err.(*websocket.CloseError); yes {
			fmt.Println("closed", closed.Code, closed.Text)
		}
		if err != nil {
			return
		}
		answer(peer, kind, message)
	}
}

func serve(port string, certificate ...string) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	check(err)
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port)
	http.HandleFunc("/echo", echo)
	if len(certificate) == 2 {
		check(http.ServeTLS(listener, nil, certificate[0], certificate[1]))
	}
	check(http.Serve(listener, nil))
}

// ---- The client

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func expect(peer *websocket.Conn, kind int, message []byte) {
	got, heard, err := peer.ReadMessage()
	check(err)
	if got != kind || !bytes.Equal(heard, message) {
		log.Fatal("another message")
	}
}

func exchange(peer *websocket.Conn, kind int, message []byte) {
	check(peer.WriteMessage(kind, message))
	expect(peer, kind, message)
}

func talk(peer *websocket.Conn) {
	var text strings.Builder
	for n := 0; text.Len() < 1<<20; n++ {
		fmt.Fprintf(&text, "%d ", n)
	}
	binary := make([]byte, 1<<20)
	for n := range binary {
		binary[n] = byte(n*7 + n/251)
	}
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		exchange(peer, websocket.TextMessage, []byte(text.String()[:size]))
		exchange(peer, websocket.BinaryMessage, binary[:size])
	}
	for n := 0; n < 100; n++ {
		check(peer.WriteMessage(websocket.TextMessage, []byte(fmt.Sprint("message ", n))))
	}
	for n := 0; n < 100; n++ {
		expect(peer, websocket.TextMessage, []byte(fmt.Sprint("message ", n)))
	}
	ponged := ""
	peer.SetPongHandler(func(payload string) error {
		ponged = payload
		return nil
	})
	check(peer.WriteControl(websocket.PingMessage, []byte("there?"), time.Now().Add(time.Minute)))
	exchange(peer, websocket.TextMessage, []byte("behind the pong"))
	if ponged != "there?" {
		log.Fatal("no pong")
	}
}

func connect(url, deflate string, trusted ...string) {
	dialer := websocket.Dialer{EnableCompression: deflate == "deflate", WriteBufferSize: 4096}
	if len(trusted) > 0 {
		certificate, err := os.ReadFile(trusted[0])
		check(err)
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(certificate)
		dialer.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	peer, response, err := dialer.Dial(url, nil)
	check(err)
	agreed := "plain"
	if response.Header.Get("Sec-WebSocket-Extensions") != "" {
		agreed = "deflate"
	}
	fmt.Println("agreed", agreed)
	talk(peer)
	bye := websocket.FormatCloseMessage(4000, "bye")
	check(peer.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Minute)))
	_, _, err = peer.ReadMessage()
	closed, yes := err.(*websocket.CloseError)
	if !yes {
		log.Fatal(err)
	}
	fmt.Println("closed", closed.Code)
}

func main() {
	switch arguments := os.Args[2:]; os.Args[1] {
	case "server":
		serve(arguments[0], arguments[2:]...) // the second, a directory, is of no use
	case "client":
		connect(arguments[0], arguments[1], arguments[2:]...)
	}
}
