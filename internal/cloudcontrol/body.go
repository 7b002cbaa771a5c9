package cloudcontrol

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// plainBody makes the SDK send a request's body as a reader alone, without a
// WriteTo of its own.
//
// An answer may be there before net/http has looked whether the body that it
// sent goes on. The SDK has closed the body by then, and WriteTo of a closed
// one gives io.EOF (smithy-go 1.28.9, transport/http/internal/io/safe.go),
// which an io.WriterTo never should: net/http takes it for a failed write and
// closes the connection, often amid the answer. The call then fails with "use
// of closed network connection"; of one that creates or changes something it
// isn't known whether it did. Read of a closed body gives io.EOF as well, where
// that is right.
//
// The SDK's own remedy is to retry: https://github.com/aws/aws-sdk-go-v2/issues/2737
func plainBody(stack *middleware.Stack) error {
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("PlainBody", withoutWriteTo), middleware.After) // signing would copy a plain reader through a buffer
}

func withoutWriteTo(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	req, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("a request of type %T", in.Request)
	}
	if body, ok := req.GetStream().(io.ReadSeeker); ok {
		plain, err := req.SetStream(struct{ io.ReadSeeker }{body})
		if err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		in.Request = plain
	}
	return next.HandleFinalize(ctx, in)
}
