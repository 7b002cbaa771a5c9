package sandbox

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudcontrol"
	"github.com/aws/aws-sdk-go-v2/service/cloudcontrol/types"
)

func sdk(s *Server) *cloudcontrol.Client {
	return cloudcontrol.New(cloudcontrol.Options{Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "dummy", "")})
}

// The SDK's own waiter sees a request through.
func TestSDKWaiter(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{World: one(), Work: Work{Polls: 2}})
	c := sdk(s)
	wait := func(token *string) (*cloudcontrol.GetResourceRequestStatusOutput, error) {
		w := cloudcontrol.NewResourceRequestSuccessWaiter(c, func(o *cloudcontrol.ResourceRequestSuccessWaiterOptions) {
			o.MinDelay, o.MaxDelay = time.Millisecond, 2*time.Millisecond
		})
		return w.WaitForOutput(t.Context(), &cloudcontrol.GetResourceRequestStatusInput{RequestToken: token}, time.Minute)
	}
	made, err := c.CreateResource(t.Context(), &cloudcontrol.CreateResourceInput{TypeName: aws.String(logGroup), DesiredState: aws.String(group("a"))})
	if err != nil {
		t.Fatal(err)
	}
	out, err := wait(made.ProgressEvent.RequestToken)
	if err != nil || out.ProgressEvent.OperationStatus != types.OperationStatusSuccess || *out.ProgressEvent.Identifier != "a" || time.Since(*out.ProgressEvent.EventTime) > time.Hour {
		t.Errorf("%v: %+v", err, out)
	}
	again, err := c.CreateResource(t.Context(), &cloudcontrol.CreateResourceInput{TypeName: aws.String(logGroup), DesiredState: aws.String(group("a"))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wait(again.ProgressEvent.RequestToken); err == nil {
		t.Error("a failed request counts as done")
	}
	_, err = c.UpdateResource(t.Context(), &cloudcontrol.UpdateResourceInput{TypeName: aws.String(logGroup), Identifier: aws.String("a"), PatchDocument: aws.String(`[{"op":"add","path":"/LogGroupName","value":"b"}]`)})
	var fixed *types.NotUpdatableException
	if !errors.As(err, &fixed) {
		t.Errorf("got %v", err)
	}
	_, err = c.GetResourceRequestStatus(t.Context(), &cloudcontrol.GetResourceRequestStatusInput{RequestToken: aws.String("none")})
	var unknown *types.RequestTokenNotFoundException
	if !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
}
