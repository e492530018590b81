// A registry in memory that has the referrers API, which docker-registry has not: registry ADDRESS:PORT.
package main

import (
	"log"
	"net"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	handler := registry.New(registry.WithReferrersSupport(true))
	log.Fatal(http.Serve(listener, handler))
}
