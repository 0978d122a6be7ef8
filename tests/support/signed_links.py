"""Links of every signed form in the services' reference (Link expiry), all with the same end."""

import base64
import json

END = 1_900_000_000
"""2030-03-17T17:46:40Z."""


def jwt(claims: object) -> str:
    """Return a JSON Web Token with these claims."""
    parts = [json.dumps(each).encode() for each in ({"alg": "HS256"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2lnbmF0dXJl"])


def cloudfront(policy: object) -> str:
    """Return a CloudFront link with a custom policy."""
    packed = base64.b64encode(json.dumps(policy).encode()).decode()
    return f"https://d1.cloudfront.net/v.mp4?Policy={packed.translate(str.maketrans('+=/', '-_~'))}&Key-Pair-Id=K1"


_POLICY = {"Statement": [{"Condition": {"DateLessThan": {"AWS:EpochTime": END}}}]}
_DATE = "20300317T164640Z"
"""An hour before the end."""

SIGNED_LINKS = {
    "cloudfront": f"https://d1.cloudfront.net/v.mp4?Expires={END}&Signature=s&Key-Pair-Id=K1",
    "cloudfront-policy": cloudfront(_POLICY),
    "s3-v4": f"https://b.s3.example/v.mp4?X-Amz-Date={_DATE}&X-Amz-Expires=3600&X-Amz-Signature=aa",
    "s3-v2": f"https://b.s3.example/v.mp4?AWSAccessKeyId=A&Expires={END}&Signature=s",
    "gcs-v4": f"https://storage.example/b/v.mp4?X-Goog-Date={_DATE}&X-Goog-Expires=3600",
    "gcs-v2": f"https://storage.example/b/v.mp4?GoogleAccessId=a%40b&Expires={END}&Signature=s",
    "azure": "https://a.blob.example/c/v.mp4?sv=2022-11-02&sr=b&sig=x%2F&se=2030-03-17T17%3A46%3A40Z",
    "azure-offset": "https://a.blob.example/c/v.mp4?sv=2022-11-02&sig=x&se=2030-03-17T19:46:40+02:00",
    "oss-v1": f"https://b.oss-cn-x.example/v.mp4?Expires={END}&OSSAccessKeyId=A&Signature=x",
    "oss-v4": f"https://b.oss.example/v.mp4?x-oss-date={_DATE}&x-oss-expires=3600&x-oss-signature=x",
    "oss-v4-timestamp": f"https://b.oss.example/v.mp4?x-oss-date={_DATE}&x-oss-expires={END}",
    "cos": f"https://c.cos.example/v.mp4?q-sign-algorithm=sha1&q-sign-time=1800000000;{END}&q-signature=x",
    "cos-encoded": f"https://c.cos.example/v.mp4?q-sign-time=1800000000%3B{END}&q-signature=x",
    "tos": f"https://b.tos.example/v.mp4?X-Tos-Date={_DATE}&X-Tos-Expires=3600&X-Tos-Signature=x",
    "obs": f"https://b.obs.example/v.mp4?AccessKeyId=A&Expires={END}&Signature=x",
    "cloud-cdn": f"https://cdn.example/v.mp4?Expires={END}&KeyName=k&Signature=x",
    "bunny": f"https://b.b-cdn.example/v.mp4?token=x&expires={END}",
    "bunny-path": f"https://b.b-cdn.example/bcdn_token=x&expires={END}&token_path=%2Fv/v/1.mp4",
    "akamai": f"https://a.example/v.mp4?hdnts=st=1800000000~exp={END}~acl=/*~hmac=ab",
    "akamai-other-name": f"https://a.example/v.mp4?mytoken=exp={END}~acl=%2f*~hmac=ab",
    "jwt": f"https://cdn.example/v.mp4?token={jwt({'exp': END, 'sub': 'x'})}",
    "jwt-other-name": f"https://cdn.example/v.mp4?auth={jwt({'exp': END + 0.0})}",
    "qiniu": f"https://q.example/v.mp4?e={END}&token=x",
    "imgix": f"https://i.imgix.example/v.mp4?expires={END}&s=x",
}
"""By the store's name and, if it has several, its form."""

SESSION_LINKS = {
    "s3-session": f"{SIGNED_LINKS['s3-v4']}&X-Amz-Security-Token=t",
    "oss-session": f"{SIGNED_LINKS['oss-v4']}&x-oss-security-token=t",
    "tos-session": f"{SIGNED_LINKS['tos']}&X-Tos-Security-Token=t",
    "obs-session": f"{SIGNED_LINKS['obs']}&x-obs-security-token=t",
    "obs-s3-names-session": f"{SIGNED_LINKS['s3-v2']}&x-obs-security-token=t",
}
"""Links that expire at the end at the latest: with the credentials of a session."""

LINKS_WITHOUT_VALID_SIGNATURE = {
    "damaged": SIGNED_LINKS["s3-v4"].replace("3600", "soon"),
    "damaged-policy": SIGNED_LINKS["cloudfront-policy"].replace("Policy=", "Policy=%ff"),
    "ended": SIGNED_LINKS["oss-v1"].replace(str(END), "1000000000"),
}
"""Links whose signature cannot be read, or had ended when a service sent them."""
