// local-kms (github.com/nsmithuk/local-kms), on loopback: its own program listens at every address.
//
//	redis-rollout-kms PORT FOLDER
package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/nsmithuk/local-kms/src"
	"github.com/nsmithuk/local-kms/src/config"
	"github.com/nsmithuk/local-kms/src/data"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("local-kms 0.0.0-20260228092603-2a5e92d09ab6")
		return
	}
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "expected PORT and FOLDER")
		os.Exit(2)
	}
	config.AWSAccountId, config.AWSRegion = "111122223333", "eu-central-1"
	config.DatabasePath = os.Args[2]
	database := data.NewDatabase(config.DatabasePath)
	defer database.Close()
	http.HandleFunc("/", func(answer http.ResponseWriter, asked *http.Request) {
		src.HandleRequest(answer, asked, database)
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
	os.Exit(1)
}
